//! Ends children and removes folders when the test process is gone, however it went.
//!
//! Drop is not enough: statics are never dropped, and a test that runs into its time limit is killed. So each test
//! process has one small shell beside it, in a process group of its own, that reads what to end from a pipe. When the
//! pipe closes, it ends what is still listed: first by the given signal, after two seconds by SIGKILL.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
list=" " folders=
while read -r word pid signal; do
    case $word in
        watch) list="$list$pid:$signal " ;;
        forget) list=$(printf %s "$list" | sed "s/ $pid:[A-Z]* / /") ;;
        folder) folders="$folders $pid" ;;
    esac
done
for entry in $list; do kill -"${entry#*:}" "${entry%:*}" 2>/dev/null; done
rounds=0
while [ "$list" != " " ] && [ $rounds -lt 40 ]; do
    alive=" "
    for entry in $list; do kill -0 "${entry%:*}" 2>/dev/null && alive="$alive$entry "; done
    list=$alive rounds=$((rounds + 1))
    [ "$list" = " " ] || sleep 0.05
done
for entry in $list; do kill -KILL -- "-${entry%:*}" "${entry%:*}" 2>/dev/null; done
for folder in $folders; do
    # What a server under test deployed outlives it; it names its folder or works in it.
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in "$folder"*) kill -KILL "${process#/proc/}" ;; esac
        if tr '\0' ' ' <"$process/cmdline" | grep -qF "$folder"; then kill -KILL "${process#/proc/}"; fi
    done 2>/dev/null
done
for folder in $folders; do case $folder in */holdpoint-test-*) rm -rf -- "$folder" ;; esac; done
"#;

fn pipe() -> &'static Mutex<ChildStdin> {
    static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    PIPE.get_or_init(|| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        // It ends after this process; nobody is left to wait for it.
        #[expect(clippy::zombie_processes, reason = "it outlives this process")]
        let mut child = command.spawn().expect("a shell starts");
        Mutex::new(child.stdin.take().expect("the shell has a standard input"))
    })
}

fn tell(line: &str) {
    let mut pipe = pipe().lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(pipe, "{line}").expect("the watcher listens");
}

/// End this process by `signal` (a name without SIG) when the test process is gone.
pub fn watch(pid: u32, signal: &str) {
    tell(&format!("watch {pid} {signal}"));
}

/// The process has ended; its number may be another's soon.
pub fn forget(pid: u32) {
    tell(&format!("forget {pid}"));
}

/// Remove this folder at last. Only folders named `holdpoint-test-…` are removed.
pub fn folder(path: &Path) {
    tell(&format!("folder {}", path.display()));
}
