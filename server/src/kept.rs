//! Answers that are kept for a while: what every page on the wall asks again and again is read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::access::Scope;
use crate::problem::{Problem, too_slow};

/// The answer to one question, for each scope.
pub(crate) struct Kept<T> {
    fresh: Duration,
    /// How long somebody may wait for an answer, whoever asks for it.
    within: Duration,
    /// As many as there are scopes in the token file.
    answers: Mutex<HashMap<Scope, Arc<Answer<T>>>>,
}

type Answer<T> = AsyncMutex<Option<(Instant, T)>>;

impl<T: Clone> Kept<T> {
    /// Keeps each answer for so long, and lets nobody wait longer than `within` for one.
    pub(crate) fn new(fresh: Duration, within: Duration) -> Kept<T> {
        Kept { fresh, within, answers: Mutex::default() }
    }

    /// The answer that is kept, or else a new one. Who comes while it is made waits for it.
    pub(crate) async fn get(
        &self,
        scope: &Scope,
        ask: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let place = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(scope.clone()).or_default())
        };
        let answer = async {
            let mut kept = place.lock().await;
            if let Some((since, answer)) = &*kept
                && since.elapsed() < self.fresh
            {
                return Ok(answer.clone());
            }
            let answer = ask.await?;
            *kept = Some((Instant::now(), answer.clone()));
            Ok(answer)
        };
        // Over both, or whoever stands behind others would wait for all of their questions.
        timeout(self.within, answer).await.unwrap_or_else(|_| Err(too_slow()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn nobody_waits_for_the_questions_of_others_without_end() {
        let kept = Kept::new(Duration::MAX, Duration::from_millis(50));
        let never = || std::future::pending::<Result<(), Problem>>();
        // One in front who asks, and is not even told that time is up.
        let mut in_front = Box::pin(kept.get(&Scope::All, never()));
        assert!(futures::poll!(&mut in_front).is_pending());
        let behind = timeout(LONG, kept.get(&Scope::All, never()));
        assert_eq!(behind.await, Ok(Err(too_slow())));
        // The answer of somebody else is not waited for.
        assert_eq!(kept.get(&Scope::of([]), async { Ok(()) }).await, Ok(()));
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_who_may_see_the_same() {
        let (kept, made) = (Kept::new(Duration::MAX, LONG), AtomicU32::new(0));
        let make = || async {
            tokio::task::yield_now().await;
            Ok(made.fetch_add(1, Ordering::Relaxed))
        };
        let shop = Scope::of(["shop".to_owned()]);
        let (one, other) =
            tokio::join!(kept.get(&Scope::All, make()), kept.get(&Scope::All, make()));
        assert_eq!((one, other), (Ok(0), Ok(0)));
        assert_eq!(kept.get(&shop, make()).await, Ok(1));
        assert_eq!(kept.get(&Scope::of(["shop".to_owned()]), make()).await, Ok(1));
    }

    #[tokio::test]
    async fn a_problem_is_not_kept_and_an_old_answer_is_none() {
        let kept = Kept::new(Duration::MAX, LONG);
        let problem = Problem::bad("no");
        assert_eq!(kept.get(&Scope::All, async { Err(problem.clone()) }).await, Err(problem));
        assert_eq!(kept.get(&Scope::All, async { Ok(1) }).await, Ok(1));
        let never = Kept::new(Duration::ZERO, LONG);
        for answer in [1, 2] {
            assert_eq!(never.get(&Scope::All, async { Ok(answer) }).await, Ok(answer));
        }
    }
}
