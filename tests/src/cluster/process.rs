//! Child processes that end with their parent, however it ends.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Error;

// The keeper outlives its parent by a moment: when the pipe on its stdin closes, for whatever
// reason, nobody is left who could use the processes or the folder.
const KEEPER: &str = r#"
trap '' HUP INT TERM
said=$(cat)
kill -s KILL -- "-$1" 2>/dev/null
[ "$said" = keep ] && exit 0
for again in 1 2 3 4 5; do
    rm -rf -- "$2" 2>/dev/null
    [ -e "$2" ] || exit 0
    sleep 0.1
done
"#;

/// Processes with one folder, which end together and take the folder with them: when this is
/// dropped, and also when the process that made it ends in any other way (SIGKILL included).
#[derive(Debug)]
pub struct Group {
    id: i32,
    logs: PathBuf,
    anchor: Child,
    keeper: Child,
}

impl Group {
    /// A group whose processes log into `dir/logs`. `dir` is removed at the end.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let logs = dir.join("logs");
        std::fs::create_dir_all(&logs).map_err(Error::file("create", &logs))?;
        let anchor = quiet(&mut Command::new("cat"))
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start { program: "cat".into(), source })?;
        let id = i32::try_from(anchor.id()).map_err(|source| Error::Start {
            program: "cat".into(),
            source: std::io::Error::other(source),
        })?;
        let keeper = quiet(&mut Command::new("sh"))
            .args(["-c", KEEPER, "keeper", &id.to_string()])
            .arg(dir)
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start { program: "sh".into(), source })?;
        Ok(Self { id, logs, anchor, keeper })
    }

    /// The folder stays at the end.
    pub fn keep(&mut self) -> Result<(), Error> {
        let Some(mut said) = self.keeper.stdin.as_ref() else {
            return Ok(());
        };
        said.write_all(b"keep\n").map_err(|source| Error::Start { program: "sh".into(), source })
    }

    /// Starts a process of the group. What it writes is appended to `logs/NAME.log`.
    pub fn spawn(&self, name: &str, mut command: Command) -> Result<Process, Error> {
        let log = self.logs.join(format!("{name}.log"));
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let stdout = open().map_err(Error::file("write", &log))?;
        let before = stdout.metadata().map_err(Error::file("read", &log))?.len();
        let stderr = open().map_err(Error::file("write", &log))?;
        // Nothing of a cluster leaves loopback.
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(self.id)
            .spawn()
            .map_err(|source| Error::Start {
                program: format!("{name} ({})", command.get_program().to_string_lossy()),
                source,
            })?;
        Ok(Process { name: name.into(), log, before, id: child.id(), child: Mutex::new(child) })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Errors mean that the process is gone already, which is what is wanted.
        let _ = self.keeper.wait();
        let _ = self.anchor.kill();
        let _ = self.anchor.wait();
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// A running program with its log. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    /// What stood in the log when it began.
    before: u64,
    id: u32,
    child: Mutex<Child>,
}

impl Process {
    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it has logged. One that ran before under the same name logged into the same file.
    pub fn logged(&self) -> std::io::Result<String> {
        let mut file = std::fs::File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.before))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// An error that shows the end of the log, if the process has ended.
    pub fn check(&self) -> Result<(), Error> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                program: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: self.tail(20),
            }),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        let mut child = self.child();
        // Errors mean that the process is gone already, which is what is wanted.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Sends a signal by name: TERM, INT, HUP, STOP, CONT.
    pub fn signal(&self, signal: &str) -> Result<(), Error> {
        let mut kill = Command::new("sh");
        kill.args(["-c", r#"kill -s "$1" "$2""#, "kill", signal, &self.id.to_string()]);
        run(&mut kill).map(drop)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&self) -> Result<ExitStatus, Error> {
        self.child().wait().map_err(|source| Error::Start { program: self.name.clone(), source })
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and returns what it wrote on stdout.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command {
        command: words(command),
        status: output.status,
        said: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().into(),
    })
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}

/// The last lines of a file, of its last 32 KiB at most.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(32 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(no log: {error})"));
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
