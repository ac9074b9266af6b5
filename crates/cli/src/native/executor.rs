//! Runs futures on the one thread that the program has.
//!
//! Requests run on threads of their own ([`in_thread`]), sleeping is a list of times ([`sleep`]), and
//! [`block_on`] waits for whichever comes first. That is all that this program needs of an executor.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

thread_local! {
    static TIMERS: RefCell<Timers> = RefCell::default();
}

/// Who wants to be woken, and when.
#[derive(Default)]
struct Timers {
    last: u64,
    waiting: BTreeMap<(Instant, u64), Waker>,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How often [`block_on`] calls `tick` while it waits: often enough for a turning sign.
const TICK: Duration = Duration::from_millis(100);

/// Runs `future` to its end on this thread, and calls `tick` ten times a second meanwhile.
pub fn block_on<F: Future>(future: F, tick: impl Fn()) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let next = TIMERS.with_borrow(|timers| timers.waiting.keys().next().copied());
        let now = Instant::now();
        let wait = next.map_or(TICK, |(until, _)| {
            until.saturating_duration_since(now).min(TICK)
        });
        std::thread::park_timeout(wait);
        tick();
        let now = Instant::now();
        let due = TIMERS.with_borrow_mut(|timers| {
            let later = timers.waiting.split_off(&(now, u64::MAX));
            std::mem::replace(&mut timers.waiting, later)
        });
        due.into_values().for_each(Waker::wake);
    }
}

/// Ends after `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    let until = Instant::now() + duration;
    let id = TIMERS.with_borrow_mut(|timers| {
        timers.last += 1;
        timers.last
    });
    Sleep { until, id }
}

/// See [`sleep`].
pub struct Sleep {
    until: Instant,
    id: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(());
        }
        TIMERS.with_borrow_mut(|timers| {
            timers
                .waiting
                .insert((self.until, self.id), context.waker().clone())
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        TIMERS.with_borrow_mut(|timers| timers.waiting.remove(&(self.until, self.id)));
    }
}

/// Does `work` on a thread of its own. Dropping the future does not end the thread, but nobody hears of
/// it any more.
///
/// # Errors
/// The thread could not be made, or its work panicked.
pub fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> InThread<T> {
    let shared = Arc::new(Mutex::new(Shared {
        outcome: None,
        waker: None,
    }));
    let theirs = Finish(shared.clone());
    let begun = std::thread::Builder::new().spawn(move || {
        let outcome = work();
        theirs.set(Ok(outcome));
    });
    if let Err(error) = begun {
        lock(&shared).outcome = Some(Err(error.to_string()));
    }
    InThread(shared)
}

struct Shared<T> {
    outcome: Option<Result<T, String>>,
    waker: Option<Waker>,
}

/// Tells the outcome, whatever becomes of the thread.
struct Finish<T>(Arc<Mutex<Shared<T>>>);

impl<T> Finish<T> {
    fn set(&self, outcome: Result<T, String>) {
        let mut shared = lock(&self.0);
        if shared.outcome.is_none() {
            shared.outcome = Some(outcome);
        }
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    }
}

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.set(Err("the thread of the request ended too soon".into()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See [`in_thread`].
pub struct InThread<T>(Arc<Mutex<Shared<T>>>);

impl<T> Future for InThread<T> {
    type Output = Result<T, String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = lock(&self.0);
        match shared.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{Either, join_all, select};

    #[test]
    fn threads_and_sleeps_run_side_by_side() {
        let begun = Instant::now();
        let naps = (1..=5).map(|n| async move {
            sleep(Duration::from_millis(20 * n)).await;
            n
        });
        let work = in_thread(|| 7);
        let both = futures_util::future::join(join_all(naps), work);
        let (naps, seven) = block_on(both, || ());
        assert_eq!((naps, seven), (vec![1, 2, 3, 4, 5], Ok(7)));
        assert!(begun.elapsed() >= Duration::from_millis(100));
        assert!(TIMERS.with_borrow(|timers| timers.waiting.is_empty()));
    }

    #[test]
    fn the_first_of_two_wins() {
        let (soon, late) = (
            sleep(Duration::from_millis(5)),
            sleep(Duration::from_secs(60)),
        );
        assert!(matches!(
            block_on(select(late, soon), || ()),
            Either::Right(_)
        ));
    }

    #[test]
    fn a_thread_that_panics_is_an_error_and_no_hang() {
        let work = in_thread(|| -> u8 { std::panic::resume_unwind(Box::new(())) });
        assert!(block_on(work, || ()).is_err());
    }
}
