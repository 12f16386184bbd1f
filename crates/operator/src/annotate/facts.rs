//! What is said of a commit: found in flags, environment and git, and judged as the operator will
//! judge it, so that a pipeline fails and not a figure.

use std::process::Command;

use jiff::Timestamp;
use timeline::Traceparent;
use timeline::base::text::bounded;
use timeline::seen::commit::{
    AUTHOR, COMMIT, COMMIT_TIME, CommitTime, HOTFIX, Keys, REPOSITORY, Refusal, Source,
    TRACEPARENT, digits,
};

use super::AnnotateError;

/// A key of an annotation and its value.
pub type Fact = (&'static str, String);

/// What is to be said, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts(Vec<Fact>);

/// What a person or a pipeline gave.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--commit`
    pub commit: Option<String>,
    /// `--commit-time`
    pub commit_time: Option<String>,
    /// `--author`
    pub author: Option<String>,
    /// `--repository`
    pub repository: Option<String>,
    /// `--traceparent` or `TRACEPARENT`
    pub traceparent: Option<String>,
    /// `--hotfix`
    pub hotfix: bool,
}

/// What git says of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// Its whole name.
    pub commit: String,
    /// When it was committed, RFC 3339.
    pub time: String,
    /// Who wrote it.
    pub author: String,
    /// URL of the remote `origin`, if there is one.
    pub repository: Option<String>,
}

impl Git {
    /// Asks git in the current folder, of HEAD if nothing is named.
    ///
    /// # Errors
    /// Git's words, or those of the system, in one line.
    pub fn ask(commit: Option<&str>) -> Result<Self, String> {
        // A value that looks like a flag would be one to git.
        let commit = match commit {
            Some(commit) if is_digits(commit) => commit,
            Some(_) => return Err("it is not asked of a name like that".to_owned()),
            None => "HEAD",
        };
        let log = git(&["log", "-1", "--no-show-signature", "--format=%H%n%cI%n%an", commit])?;
        let mut lines = log.lines();
        let mut line = || lines.next().unwrap_or_default().trim().to_owned();
        let (commit, time, author) = (line(), line(), line());
        let repository = git(&["remote", "get-url", "origin"]).ok().map(|url| url.trim().into());
        Ok(Self { commit, time, author, repository })
    }
}

fn git(args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(args).output();
    let output = output.map_err(|error| format!("git does not run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(bounded(&String::from_utf8_lossy(&output.stderr), 256))
}

impl Facts {
    /// What is given, and for the rest what git says.
    ///
    /// # Errors
    /// If a value would not be believed, or no commit is known.
    pub fn find(
        given: Given,
        git: Result<Git, String>,
        now: Timestamp,
    ) -> Result<Self, AnnotateError> {
        let of_git = git.as_ref().ok();
        let commit = given.commit.or_else(|| of_git.map(|git| git.commit.clone()));
        let Some(commit) = commit.filter(|commit| !commit.is_empty()) else {
            return Err(AnnotateError::NoCommit(git.err().unwrap_or_default()));
        };
        let commit = judged_commit(&commit)?;
        let mut facts = vec![(key(COMMIT), commit)];
        let time = given.commit_time.or_else(|| of_git.map(|git| git.time.clone()));
        if let Some(time) = time {
            facts.push((key(COMMIT_TIME), judged_time(&time, now)?));
        }
        if let Some(author) = given.author {
            facts.push((key(AUTHOR), plain("--author", &author, AUTHOR)?));
        } else if let Some(git) = of_git {
            // Nobody can correct in a pipeline how a person calls himself.
            let author = bounded(&git.author, AUTHOR.limit);
            facts.extend((!author.is_empty()).then(|| (key(AUTHOR), author)));
        }
        if let Some(repository) = given.repository {
            facts.push((key(REPOSITORY), judged_repository(&repository)?));
        } else if let Some(url) = of_git.and_then(|git| git.repository.as_deref()) {
            // A folder, or a URL that nobody else could use, says nothing.
            let url = judged_repository(&without_password(url)).ok();
            facts.extend(url.map(|url| (key(REPOSITORY), url)));
        }
        if let Some(traceparent) = given.traceparent.filter(|it| !it.trim().is_empty()) {
            facts.push((key(TRACEPARENT), judged_traceparent(&traceparent)?));
        }
        if given.hotfix {
            facts.push((HOTFIX, "true".to_owned()));
        }
        Ok(Self(facts))
    }

    /// Whether the time of the commit is among them.
    pub fn tells_the_time(&self) -> bool {
        self.iter().any(|(known, _)| *known == key(COMMIT_TIME))
    }

    /// Keys and values, in the order in which they are written.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.0.iter()
    }
}

/// The key of ours: it stands before those of other conventions.
fn key(keys: Keys) -> &'static str {
    keys.keys.first().map_or("", |(key, _)| *key)
}

fn refuse(name: &'static str, value: &str, problem: impl Into<String>) -> AnnotateError {
    AnnotateError::Value { name, value: bounded(value, 64), problem: problem.into() }
}

/// A value that stays as it is when it is read: on one line, nothing hidden in it, not too long.
fn plain(name: &'static str, value: &str, of: Keys) -> Result<String, AnnotateError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(refuse(name, value, "is empty: give a value, or leave it out"));
    }
    if bounded(value, of.limit) != value {
        let limit = of.limit;
        let problem = format!("does not fit: give one line of at most {limit} bytes");
        return Err(refuse(name, value, problem));
    }
    Ok(value.to_owned())
}

fn is_digits(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn judged_commit(text: &str) -> Result<String, AnnotateError> {
    let commit = digits(text.trim());
    if is_digits(commit) {
        return Ok(commit.to_ascii_lowercase());
    }
    let problem = "is no commit: give 7 to 64 hexadecimal digits, as `git rev-parse HEAD` says";
    Err(refuse("--commit", text, problem))
}

fn judged_time(text: &str, now: Timestamp) -> Result<String, AnnotateError> {
    let name = "--commit-time";
    let text = plain(name, text, COMMIT_TIME)?;
    let problem = match CommitTime::read(&text, Source::Throughline, now) {
        CommitTime::At(at, _) => return Ok(at.to_string()),
        CommitTime::Refused(Refusal::Future) => {
            "lies in the future: look at the clocks of this machine and of who committed"
        }
        CommitTime::Refused(Refusal::BeforeRepository) => {
            "lies before 2000, when no repository was: give the time of the commit, as \
             `git log -1 --format=%cI` says"
        }
        CommitTime::Refused(_) | CommitTime::Unknown => {
            "is no time: give RFC 3339, as `git log -1 --format=%cI` says"
        }
    };
    Err(refuse(name, &text, problem))
}

fn judged_repository(text: &str) -> Result<String, AnnotateError> {
    let name = "--repository";
    let url = plain(name, text, REPOSITORY)?;
    let url = match url.split_once("://") {
        Some(_) => url,
        // git@host:path, as git writes it.
        None => match url.split_once(':') {
            Some((host, path)) if host.contains('@') && !host.contains('/') => {
                format!("ssh://{host}/{}", path.trim_start_matches('/'))
            }
            _ => {
                let problem = "is no URL: give one, e.g. https://git.example.com/shop/cart";
                return Err(refuse(name, &url, problem));
            }
        },
    };
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if !["https", "http", "ssh", "git"].contains(&scheme) || host.is_empty() {
        let problem = "is no URL of a repository: give one that begins with https:// or ssh://";
        return Err(refuse(name, &url, problem));
    }
    if without_password(&url) != url {
        // The value is not repeated: logs of pipelines are read by many.
        return Err(refuse(name, scheme, "has a user or password in it: leave that out"));
    }
    Ok(url)
}

/// The URL without what lets somebody in. The user of ssh is only a name.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((user, host)) = authority.rsplit_once('@') else { return url.to_owned() };
    match scheme {
        "ssh" => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}@{host}{path}"),
            None => url.to_owned(),
        },
        _ => format!("{scheme}://{host}{path}"),
    }
}

fn judged_traceparent(text: &str) -> Result<String, AnnotateError> {
    match text.trim().parse::<Traceparent>() {
        Ok(traceparent) => Ok(traceparent.to_string()),
        Err(error) => {
            let problem =
                format!("is no traceparent ({error}): correct --traceparent, or unset TRACEPARENT");
            Err(refuse("traceparent", text, problem))
        }
    }
}
