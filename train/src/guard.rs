//! A closure that may panic enters; its value, or what the panic said, leaves.
//!
//! Meant for readers of other people's files that are not ours to mend: a defect in one must be a sentence, not a crash.
//! Nothing else is guarded; a panic of this program's own code ends it.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
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
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "it gave no reason".into())
    })
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
}
