//! What kustomize makes of `config`, by the pinned kubectl.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::programs::Program;
use crate::cluster::{Error, run};

/// A kustomization over `config`, in a folder that goes with it.
#[derive(Debug)]
pub struct Overlay {
    folder: PathBuf,
}

impl Overlay {
    /// `config/default` with components, in that order, and with a namespace of its own if one is given.
    pub fn of_default(namespace: Option<&str>, components: &[&str]) -> Result<Self, Error> {
        Self::over(&config("default"), namespace, components)
    }

    /// The same over another kustomization.
    pub fn over(below: &Path, namespace: Option<&str>, components: &[&str]) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("throughline-kustomize-{}-{number}", std::process::id());
        let parent = std::env::temp_dir();
        let parent = parent.canonicalize().map_err(Error::file("find", &parent))?;
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        let overlay = Self { folder };

        // Kustomize takes no absolute paths.
        let up = "../".repeat(overlay.folder.components().count().saturating_sub(1));
        let at =
            |path: &Path| format!("{up}{}", path.display().to_string().trim_start_matches('/'));
        let components = components.iter().map(|name| at(&config("components").join(name)));
        let mut lines = vec![
            format!("resources: [{}]", at(below)),
            format!("components: [{}]", components.collect::<Vec<_>>().join(", ")),
        ];
        lines.extend(namespace.map(|namespace| format!("namespace: {namespace}")));
        let file = overlay.folder.join("kustomization.yaml");
        std::fs::write(&file, lines.join("\n")).map_err(Error::file("write", file))?;
        Ok(overlay)
    }

    /// What `kubectl apply -k` takes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All objects of it.
    pub fn objects(&self) -> Result<Vec<Value>, Error> {
        let text = run(Command::new(Program::Kubectl.path()?).arg("kustomize").arg(&self.folder))?;
        let documents = serde_norway::Deserializer::from_str(&text).map(Value::deserialize);
        documents.collect::<Result<_, _>>().map_err(|error| Error::Manifest {
            reason: error.to_string(),
            manifest: text.chars().take(400).collect(),
        })
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // What is left over in a folder for temporary files harms nobody.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A folder of `config`.
pub fn config(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"));
    root.join("config").join(name)
}
