//! Runs a closure that may panic and returns its value, or the message of the panic.
//!
//! For libraries that read untrusted files, such as decoders and readers of weights: a defect in one must only cost a
//! track or give an error message. Nothing else is guarded; a panic of this project's own code ends the program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static UNGUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `action`. A panic in it prints nothing and becomes the error. Values that `action` borrowed mutably may then be
/// in any state and must not be used again.
pub fn catch<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                report(info);
            }
        }));
    });
    GUARDED.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(action));
    GUARDED.set(false);
    outcome.map_err(|payload| {
        if UNGUARDED.replace(false) {
            panic::resume_unwind(payload);
        }
        message(payload.as_ref())
    })
}

/// Runs this project's own code inside guarded code, such as a callback: a panic in it is printed and passes through
/// [`catch`].
pub fn unguarded<T>(action: impl FnOnce() -> T) -> T {
    let guarded = GUARDED.replace(false);
    UNGUARDED.set(guarded);
    let value = action();
    UNGUARDED.set(false);
    GUARDED.set(guarded);
    value
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic has no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_an_error_and_the_thread_continues() {
        assert_eq!(catch(|| 7), Ok(7));
        let empty: &[u8] = &[];
        let error = catch(|| empty[3]).unwrap_err();
        assert!(error.contains("index out of bounds"), "{error}");
        assert_eq!(catch(|| panic!("constant")), Err::<(), _>("constant".into()));
        assert!(!GUARDED.get());
    }

    #[test]
    fn panic_in_own_callback_passes_through_catch() {
        let result = panic::catch_unwind(|| catch(|| unguarded(|| panic!("ours"))));
        assert_eq!(
            result
                .map(|_: Result<(), _>| ())
                .map_err(|payload| message(payload.as_ref())),
            Err("ours".into())
        );
        assert_eq!(catch(|| unguarded(|| 3)), Ok(3));
        assert_eq!(catch(|| panic!("theirs")), Err::<(), _>("theirs".into()));
        assert!(!GUARDED.get() && !UNGUARDED.get());
    }
}
