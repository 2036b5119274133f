//! Runs a closure that may panic: its value, or the message of the panic.
//!
//! Meant for libraries that read files which nobody checked, decoders and weights' readers: a defect in one must cost a
//! track or be a sentence. Nothing else is guarded; a panic of this project's own code ends the program.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `action`. A panic in it prints nothing, and becomes the error. What `action` had borrowed mutably may be left in
/// any state then, and must not be used again.
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
        if OWN.replace(false) {
            panic::resume_unwind(payload);
        }
        message(payload.as_ref())
    })
}

/// Runs code of our own that guarded code calls back: a panic in it is printed and goes through [`catch`].
pub fn own<T>(action: impl FnOnce() -> T) -> T {
    let guarded = GUARDED.replace(false);
    OWN.set(guarded);
    let value = action();
    OWN.set(false);
    GUARDED.set(guarded);
    value
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it gave no reason")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_the_thread_goes_on() {
        assert_eq!(catch(|| 7), Ok(7));
        let empty: &[u8] = &[];
        let said = catch(|| empty[3]).unwrap_err();
        assert!(said.contains("index out of bounds"), "{said}");
        assert_eq!(catch(|| panic!("constant")), Err::<(), _>("constant".into()));
        assert!(!GUARDED.get());
    }

    #[test]
    fn a_panic_of_our_own_code_that_is_called_back_is_not_taken_for_the_librarys() {
        let ended = panic::catch_unwind(|| catch(|| own(|| panic!("ours"))));
        assert_eq!(
            ended
                .map(|_: Result<(), _>| ())
                .map_err(|payload| message(payload.as_ref())),
            Err("ours".into())
        );
        assert_eq!(catch(|| own(|| 3)), Ok(3));
        assert_eq!(catch(|| panic!("theirs")), Err::<(), _>("theirs".into()));
        assert!(!GUARDED.get() && !OWN.get());
    }
}
