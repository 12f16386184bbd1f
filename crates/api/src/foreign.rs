//! Types of others: kube's derive wants a `spec` in every object, the API server does not.

/// A namespaced kind of another project, of which a few fields are read, each of them optional.
macro_rules! foreign {
    ($(#[$doc:meta])* $name:ident { $group:literal, $version:literal, $plural:literal } $spec:ty, $status:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            /// Standard metadata, as far as it is read.
            #[serde(deserialize_with = "crate::metadata::read")]
            pub metadata: kube::core::ObjectMeta,
            /// What is wanted.
            pub spec: Option<$spec>,
            /// What is.
            pub status: Option<$status>,
        }

        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = kube::core::NamespaceResourceScope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                stringify!($name).into()
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &kube::core::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

/// A kind of another project that we make objects of.
macro_rules! written {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use kube::Resource as _;
                use serde::ser::SerializeStruct as _;
                let mut object = serializer.serialize_struct(stringify!($name), 5)?;
                object.serialize_field("apiVersion", &Self::api_version(&()))?;
                object.serialize_field("kind", stringify!($name))?;
                object.serialize_field("metadata", &self.metadata)?;
                if let Some(spec) = &self.spec {
                    object.serialize_field("spec", spec)?;
                }
                if let Some(status) = &self.status {
                    object.serialize_field("status", status)?;
                }
                object.end()
            }
        }
    };
}

pub(crate) use {foreign, written};

/// A part of an object that is never read.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Unread {}
