//! Who may talk to the API server, and with what.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use super::Error;

/// A user of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The short name in the test cluster: names the kubeconfig.
    pub name: String,
    /// The bearer token.
    pub token: String,
    /// The name that the API server knows.
    pub username: String,
    /// The groups that the API server knows, `system:authenticated` aside.
    pub groups: Vec<String>,
}

impl User {
    /// A user without any rights but those of everybody.
    pub fn new(name: &str, token: &str) -> Self {
        Self { name: name.into(), token: token.into(), username: name.into(), groups: Vec::new() }
    }

    /// The user that a service account of a namespace is.
    pub fn service_account(name: &str, namespace: &str, account: &str) -> Self {
        Self {
            username: format!("system:serviceaccount:{namespace}:{account}"),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
            ],
            ..Self::new(name, &format!("token-of-{name}"))
        }
    }

    /// Puts the user into a group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.groups.push(group.into());
        self
    }

    /// May do everything.
    pub fn admin() -> Self {
        Self::new("admin", "token-of-admin").group("system:masters")
    }

    /// May do nothing but what a namespace grants it by a RoleBinding of its own.
    pub fn tenant() -> Self {
        Self::new("tenant", "token-of-tenant")
    }

    /// What Throughline runs as: bound by the roles that it ships.
    pub fn throughline() -> Self {
        Self::service_account("throughline", "throughline-system", "throughline")
    }
}

/// The files with which users and API server know each other.
#[derive(Debug)]
pub(crate) struct Access {
    dir: PathBuf,
    users: Vec<User>,
}

impl Access {
    pub(crate) fn write(dir: &Path, server: &str, users: Vec<User>) -> Result<Self, Error> {
        let access = Self { dir: dir.join("access"), users };
        fs::create_dir_all(&access.dir).map_err(Error::file("create", &access.dir))?;

        let serving = KeyPair::generate()?;
        let names = vec!["127.0.0.1".into(), "localhost".into()];
        let certificate = CertificateParams::new(names)?.self_signed(&serving)?.pem();
        access.put("serving.crt", &certificate)?;
        access.put("serving.key", &serving.serialize_pem())?;

        let accounts = KeyPair::generate()?;
        access.put("accounts.key", &accounts.serialize_pem())?;
        access.put("accounts.pub", &accounts.public_key_pem())?;

        let line = |user: &User| {
            let User { token, username, groups, .. } = user;
            format!("{token},{username},{username},\"{}\"\n", groups.join(","))
        };
        access.put("tokens.csv", &access.users.iter().map(line).collect::<String>())?;
        for user in &access.users {
            let authority = access.dir.join("serving.crt");
            access.put(&kubeconfig(&user.name), &config(server, &authority, user))?;
        }
        Ok(access)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn admin(&self) -> PathBuf {
        self.file(&kubeconfig("admin"))
    }

    pub(crate) fn kubeconfig(&self, name: &str) -> Result<PathBuf, Error> {
        if self.users.iter().any(|user| user.name == name) {
            return Ok(self.file(&kubeconfig(name)));
        }
        let known: Vec<_> = self.users.iter().map(|user| user.name.as_str()).collect();
        Err(Error::UnknownUser { name: name.into(), known: known.join(", ") })
    }

    fn put(&self, name: &str, content: &str) -> Result<(), Error> {
        let path = self.file(name);
        fs::write(&path, content).map_err(Error::file("write", path))
    }
}

fn kubeconfig(user: &str) -> String {
    format!("{user}.kubeconfig")
}

// JSON is YAML.
fn config(server: &str, authority: &Path, user: &User) -> String {
    let named = |key: &str, value: serde_json::Value| json!([{ "name": "test", key: value }]);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": named("cluster", json!({ "server": server, "certificate-authority": authority })),
        "users": named("user", json!({ "token": user.token })),
        "contexts": named("context", json!({ "cluster": "test", "user": "test" })),
        "current-context": "test",
    })
    .to_string()
}
