//! The CustomResourceDefinitions as files.

use std::path::{Path, PathBuf};

use api::{RolloutAttempt, RolloutTrace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

use crate::terminal;

/// Why the definitions were not written.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// They are no YAML.
    #[error("cannot write a CRD as YAML: {0}")]
    Yaml(serde_norway::Error),
    /// They cannot be printed.
    #[error("cannot print the CRDs: {0}")]
    Print(std::io::Error),
    /// A file cannot be written.
    #[error(
        "cannot write {path} ({source}): --to names a folder that exists and can be written to"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Our definitions, by the names of their files.
pub fn documents() -> Result<[(&'static str, String); 2], CrdError> {
    let yaml =
        |crd: CustomResourceDefinition| serde_norway::to_string(&crd).map_err(CrdError::Yaml);
    Ok([
        ("throughline.dev_rolloutattempts.yaml", yaml(RolloutAttempt::definition())?),
        ("throughline.dev_rollouttraces.yaml", yaml(RolloutTrace::crd())?),
    ])
}

/// Writes each into a file of its own, or all to the standard output.
pub(crate) fn generate(folder: Option<&Path>) -> Result<(), CrdError> {
    let documents = documents()?;
    let Some(folder) = folder else {
        let all = documents.map(|(_, document)| document).join("---\n");
        return terminal::print(&all).map_err(CrdError::Print);
    };
    for (name, document) in documents {
        let path = folder.join(name);
        std::fs::write(&path, document).map_err(|source| CrdError::File { path, source })?;
    }
    Ok(())
}
