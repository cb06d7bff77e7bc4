//! Signals: a limit of file sizes is an error of a write, not the sudden death of the process, and who asks it to end is
//! heard.

use tokio::runtime::Runtime;

/// The signal of a write beyond the limit (`ulimit -f`), as Linux, macOS and the BSDs number it.
#[cfg(all(unix, not(any(target_arch = "mips", target_arch = "mips64"))))]
const SIGXFSZ: i32 = 25;
#[cfg(all(unix, any(target_arch = "mips", target_arch = "mips64")))]
const SIGXFSZ: i32 = 31;

/// Lets a write beyond the limit fail, which is then said like a full disk. Without a handler the signal kills.
#[cfg(unix)]
pub(super) fn fail_instead_of_dying(runtime: &Runtime) {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    // The handler stays for as long as the process lives; what is received is of no use.
    if let Err(error) = signal(SignalKind::from_raw(SIGXFSZ)) {
        tracing::debug!(%error, "a limit of file sizes will end the process");
    }
}

#[cfg(not(unix))]
pub(super) fn fail_instead_of_dying(_runtime: &Runtime) {}

/// Ctrl-C, or the signal that service managers send: heard from the call on, and not only once it is waited for.
#[cfg(unix)]
pub(super) fn stopped() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::interrupt()).and_then(|ended| Ok((ended, signal(SignalKind::terminate())?)));
    async {
        // Without signals the process ends as its owner ends it: the log is in order at any point.
        let Ok((mut interrupted, mut terminated)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
