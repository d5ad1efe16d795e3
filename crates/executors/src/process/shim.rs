//! The shim: a small process beside each program we run, so that the program outlives the worker that started it, and its
//! end, its output and its digest are on record when the worker comes back. `holdpoint shim --dir DIR` calls [`run`].
//!
//! It starts the program once, restarts nothing, speaks to nobody, and holds no more than a log buffer. Secrets come
//! through its standard input as one JSON object and never touch the disk.

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode as FileMode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

use super::directory::{Cause, Directory, Exit, Mode, Phase, ShimSpec, State};
use super::image::{Image, same_digest};
use super::proc::{self, Identity, MARK, boot_clock};
use crate::output::{HeadAndTail, Masker};
use crate::placeholder::Values;

/// A command's log keeps this much of its beginning …
pub const LOG_HEAD_BYTES_MAX: usize = 8 << 20;
/// … and this much of its end.
pub const LOG_TAIL_BYTES_MAX: usize = 64 << 10;
/// An instance's log is moved to `log.1` at this size.
pub const LOG_ROTATE_BYTES: u64 = 4 << 20;

const PIPE_BYTES: i32 = 1 << 20;
const TICK: Duration = Duration::from_millis(100);

/// Runs the program of `dir` to its end. The exit code is the shim's own: 0 also when the program failed, or when another
/// shim has claimed the directory before.
pub fn run(dir: &Path) -> ExitCode {
    // On a thread of its own: a runtime cannot be started inside another, and the kernel ties a command's life to the
    // *thread* that forked it, which is this one to the end.
    let dir = dir.to_owned();
    let trouble = match std::thread::Builder::new().name("shim".into()).spawn(move || supervise(&dir)).map(|thread| thread.join()) {
        Ok(Ok(Ok(()))) => return ExitCode::SUCCESS,
        Ok(Ok(Err(error))) | Err(error) => error.to_string(),
        Ok(Err(_)) => "it panicked".to_owned(),
    };
    eprintln!("holdpoint shim: {trouble}");
    ExitCode::FAILURE
}

fn supervise(dir: &Path) -> io::Result<()> {
    let dir = fs::canonicalize(dir)?;
    let directory = Directory::at(&dir);
    // Fails for a group leader (started from a shell): then it stays in its session.
    let _ = setsid();
    set_child_subreaper(true)?;
    let secrets = read_secrets()?;
    let spec = directory.spec()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::new()?;
        if !directory.claim()? {
            return Ok(());
        }
        let own = Identity::of(i32::try_from(std::process::id()).unwrap_or(0))
            .ok_or_else(|| io::Error::other("/proc does not know this process"))?;
        let mut state = State {
            state: Phase::Starting,
            shim: own,
            pid: None,
            start_time_ticks: None,
            exe_digest: None,
            port: spec.port,
            address: spec.port.map(|port| format!("127.0.0.1:{port}")),
            exit: None,
            log_dropped: 0,
        };
        directory.write_state(&state)?;
        if directory.stop_marked() {
            state.state = Phase::Exited;
            state.exit = Some(not_started("it was stopped before it began"));
            return write_last(&directory, &state).await;
        }
        match launch(&directory, &spec, &secrets, &mut state) {
            Ok(running) => running.watch(&directory, &spec, signals, state).await,
            Err(exit) => {
                state.state = Phase::Exited;
                state.exit = Some(exit);
                write_last(&directory, &state).await
            }
        }
    })
}

/// The worker always sends an object. Nothing at all means that it died before it could: then nothing may be started here,
/// neither without the secrets nor without masking them.
fn read_secrets() -> io::Result<BTreeMap<String, String>> {
    let mut text = String::new();
    io::stdin().take(1 << 20).read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(|_| io::Error::other("no object of secrets came through standard input"))
}

struct Signals {
    child: SignalStream,
    stop: SignalStream,
    _interrupt: SignalStream,
    _hangup: SignalStream,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            stop: signal(SignalKind::terminate())?,
            // Taken and ignored: a terminal that is closed or interrupted concerns the worker, not what it started.
            _interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }
}

struct Running {
    pid: i32,
    pump: mpsc::Receiver<u64>,
    // The memory file stays open for adopters that look through /proc/SHIM/fd.
    _image: Option<Image>,
}

fn not_started(detail: impl ToString) -> Exit {
    Exit { cause: Cause::NotStarted, code: None, signal: None, detail: detail.to_string() }
}

fn launch(directory: &Directory, spec: &ShimSpec, secrets: &BTreeMap<String, String>, state: &mut State) -> Result<Running, Exit> {
    let dir_text = directory.path().to_string_lossy().into_owned();
    let mut values = Values {
        artifact: None,
        port: spec.port,
        dir: Some(&dir_text),
        version: &spec.version,
        variables: Some(&spec.variables),
        config: Some(&spec.config),
        secrets: Some(secrets),
    };
    let mut image = None;
    let mut artifact_path = None;
    if let Some(artifact) = &spec.artifact {
        let mut loaded = Image::load(&artifact.path, &artifact.name)
            .map_err(|e| not_started(format!("the artifact {} cannot be read: {e}", artifact.digest)))?;
        state.exe_digest = Some(loaded.digest.clone());
        if !same_digest(&loaded.digest, &artifact.digest) {
            let detail = format!("digest_mismatch: expected {}, the file is {}", artifact.digest, loaded.digest);
            return Err(Exit { cause: Cause::DigestMismatch, code: None, signal: None, detail });
        }
        artifact_path = Some(if spec.render { render(directory, &mut loaded, &values).map_err(not_started)? } else { loaded.path() });
        image = Some(loaded);
    }
    values.artifact = artifact_path.as_deref();
    let argv = values.expand_all(&spec.argv).map_err(not_started)?;
    let env = values.expand_map(&spec.env).map_err(not_started)?;
    let Some((program, arguments)) = argv.split_first() else { return Err(not_started("argv is empty")) };

    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(env).env(MARK, &dir_text).process_group(0).stdin(Stdio::null());
    command.current_dir(spec.work.as_deref().unwrap_or(directory.path()));
    if let Some(artifact) = &spec.artifact
        && Some(program.as_str()) == artifact_path.as_deref()
        && !artifact.name.is_empty()
    {
        command.arg0(&artifact.name);
    }
    let (pid, reader) = spawn(directory, spec.mode, command).map_err(|e| not_started(format!("{program}: {e}")))?;
    let masker = Masker::new(secrets.values().map(String::as_str));
    let pump = pump(directory.log(), spec.mode, reader, masker).map_err(not_started)?;
    state.state = Phase::Running;
    state.pid = Some(pid);
    state.start_time_ticks = proc::stat(pid).map(|stat| stat.start_time);
    Ok(Running { pid, pump, _image: image })
}

/// The artifact as a text with its placeholders replaced; `${artifact}` then is the result's path.
fn render(directory: &Directory, image: &mut Image, values: &Values<'_>) -> Result<String, String> {
    let text = image.text().map_err(|e| format!("the artifact is not a text: {e}"))?;
    let path = directory.path().join("rendered");
    let rendered = values.expand(&text)?;
    fs::write(&path, rendered).map_err(|e| format!("the rendered artifact cannot be written: {e}"))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Forks and executes. Between the two the child notes its own identity, so that it can be found if the shim dies at once.
fn spawn(directory: &Directory, mode: Mode, mut command: Command) -> io::Result<(i32, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    if mode == Mode::Instance {
        // An instance holds the reading end too: when the shim is killed, its writes fill the pipe instead of failing.
        fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    command.stdout(writer.try_clone()?).stderr(writer);
    let birth = File::create(directory.path().join("birth"))?;
    let note = move || -> io::Result<()> {
        SigSet::empty().thread_set_mask()?;
        if mode == Mode::Command {
            set_pdeathsig(Signal::SIGKILL)?;
        }
        let stat = open(c"/proc/self/stat", OFlag::O_RDONLY | OFlag::O_CLOEXEC, FileMode::empty())?;
        let mut line = [0_u8; 1024];
        let n = nix::unistd::read(&stat, &mut line)?;
        nix::unistd::write(birth.as_fd(), &line[..n])?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "between fork and exec; the closure only makes system calls and allocates nothing")]
    // SAFETY: everything called in it is async-signal-safe: sigmask, prctl, open, read and write on stack memory.
    unsafe {
        command.pre_exec(note);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok((pid, reader))
}

/// Copies the program's output to the log, masked and bounded; the receiver gets the number of bytes left out, at the end.
fn pump(path: PathBuf, mode: Mode, mut reader: PipeReader, mut masker: Masker) -> io::Result<mpsc::Receiver<u64>> {
    let mut log = Log::open(path, mode)?;
    let (done, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("log".into()).spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => log.push(&masker.push(&buffer[..n])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        log.push(&masker.finish());
        let _ = done.send(log.finish());
    })?;
    Ok(receiver)
}

/// A log that cannot be written (disk full) loses bytes and says so; it never stops the program.
enum Log {
    Command { file: File, kept: HeadAndTail, lost: u64 },
    Instance { path: PathBuf, file: File, size: u64, lost: u64 },
}

impl Log {
    fn open(path: PathBuf, mode: Mode) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options().create(true).append(true).mode(0o600).open(&path)?;
        Ok(match mode {
            Mode::Command => Log::Command { file, kept: HeadAndTail::new(LOG_HEAD_BYTES_MAX, LOG_TAIL_BYTES_MAX), lost: 0 },
            Mode::Instance => Log::Instance { path, file, size: 0, lost: 0 },
        })
    }

    fn push(&mut self, bytes: &[u8]) {
        match self {
            Log::Command { file, kept, lost } => {
                let now = kept.push(bytes);
                if file.write_all(now).is_err() {
                    *lost += now.len() as u64;
                }
            }
            Log::Instance { path, file, size, lost } => {
                if *size >= LOG_ROTATE_BYTES
                    && fs::rename(&*path, path.with_extension("1")).is_ok()
                    && let Ok(fresh) = File::options().create(true).append(true).open(&*path)
                {
                    *file = fresh;
                    *size = 0;
                }
                match file.write_all(bytes) {
                    Ok(()) => *size += bytes.len() as u64,
                    Err(_) => *lost += bytes.len() as u64,
                }
            }
        }
    }

    fn finish(self) -> u64 {
        match self {
            Log::Command { mut file, mut kept, lost } => {
                let dropped = kept.dropped();
                let _ = file.write_all(&kept.finish());
                dropped + lost
            }
            Log::Instance { lost, .. } => lost,
        }
    }
}

impl Running {
    async fn watch(self, directory: &Directory, spec: &ShimSpec, mut signals: Signals, mut state: State) -> io::Result<()> {
        directory.write_state(&state)?;
        let timeout_at = match spec.timeout_ms {
            0 => u64::MAX,
            ms => boot_clock().saturating_add(ms.saturating_mul(1_000_000)),
        };
        let command = spec.mode == Mode::Command;
        let mut exit = None;
        let cause = loop {
            exit = exit.or(reap(self.pid));
            if exit.is_some() {
                break Cause::Exited;
            }
            if command && boot_clock() >= timeout_at {
                break Cause::TimedOut;
            }
            if command && directory.lease().is_some_and(|at| boot_clock() >= at) {
                break Cause::LeaseEnded;
            }
            tokio::select! {
                _ = signals.child.recv() => {}
                _ = signals.stop.recv() => break Cause::Stopped,
                () = tokio::time::sleep(TICK), if command => {}
            }
        };
        if exit.is_none() {
            proc::signal_group(self.pid, Signal::SIGTERM);
            let grace_at = boot_clock().saturating_add(spec.grace_ms.saturating_mul(1_000_000));
            while exit.is_none() && boot_clock() < grace_at {
                tokio::select! {
                    _ = signals.child.recv() => {}
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
                exit = reap(self.pid);
            }
        }
        let exit = self.kill_all(exit).await;
        // With every process gone the pipe is at its end, unless another user's process still holds it.
        state.log_dropped = self.pump.recv_timeout(Duration::from_secs(5)).unwrap_or(0);
        state.state = Phase::Exited;
        let cause = if cause == Cause::Exited && directory.stop_marked() { Cause::Stopped } else { cause };
        state.exit = Some(Exit { cause, ..exit });
        write_last(directory, &state).await
    }

    /// The whole group and everything that left it: orphans come to the shim, which is their sub-reaper.
    async fn kill_all(&self, mut exit: Option<Exit>) -> Exit {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        for _ in 0..500 {
            if exit.is_none() {
                proc::signal_group(self.pid, Signal::SIGKILL);
            }
            let left = proc::descendants(own);
            for pid in &left {
                proc::signal_one(*pid, Signal::SIGKILL);
            }
            exit = exit.or(reap(self.pid));
            if left.is_empty() && exit.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        exit.unwrap_or(Exit { cause: Cause::Stopped, code: None, signal: None, detail: "it could not be killed".into() })
    }
}

/// Takes the end of every dead child; answers with the program's, when it is among them.
fn reap(program: i32) -> Option<Exit> {
    let mut found = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == program => {
                found = Some(Exit { cause: Cause::Exited, code: Some(code), signal: None, detail: String::new() });
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == program => {
                let signal = Some(signal as i32);
                found = Some(Exit { cause: Cause::Exited, code: None, signal, detail: String::new() });
            }
            Ok(WaitStatus::StillAlive) => return found,
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return found,
        }
    }
}

/// The last state is the proof of the end: a full disk is waited out for a while.
async fn write_last(directory: &Directory, state: &State) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match directory.write_state(state) {
            Ok(()) => return Ok(()),
            // A directory that was taken away is not waited for.
            Err(error) if tries >= 150 || !directory.path().exists() => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
