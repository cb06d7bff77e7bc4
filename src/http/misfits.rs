//! Starts whose input does not fit: what is said of them, with an input that fits.

use super::api::{ApiError, Fault, INVALID_INPUT};
use super::service::Service;
use super::wanted;
use crate::engine::InstanceId;
use crate::json::Json;

impl Service {
    /// Why a start that nobody has decided yet will be refused: its input does not fit the saga that is deployed now.
    pub(super) async fn foreseen(&self, id: &InstanceId, saga: &str, input: &Json) -> Option<ApiError> {
        let plan = self.orchestrator.plans().current(saga).cloned()?;
        let misfit = wanted::misfit(&plan.saga, input)?;
        // One that repeats what began by an older version is taken as known.
        if self.orchestrator.get(id).await.is_ok() {
            return None;
        }
        let message = format!("it is in the log, and whoever takes it up will refuse it: {misfit}");
        let refused = ApiError::new(Fault::Input, INVALID_INPUT, message).example(&wanted::skeleton(&plan.saga));
        Some(refused.hint("the same id can be started again with an input that fits"))
    }

    /// An input that is refused since it does not fit, with every misfit on its line and an input that fits.
    pub(super) fn with_example(&self, refused: ApiError, saga: &str, input: &Json) -> ApiError {
        if refused.code != INVALID_INPUT {
            return refused;
        }
        let Some(plan) = self.orchestrator.plans().current(saga).cloned() else { return refused };
        let message = wanted::misfit(&plan.saga, input).unwrap_or(refused.message);
        ApiError { message, ..refused }.example(&wanted::skeleton(&plan.saga))
    }
}
