use crate::{
    Time,
    service::{HookStatus, HookTest},
    view,
};

impl From<HookStatus> for view::HookStatus {
    fn from(status: HookStatus) -> Self {
        let HookStatus { config, waiting, counts, failure } = status;
        Self {
            name: config.name,
            target: config.target.to_string(),
            on: config.on.iter().map(ToString::to_string).collect(),
            detail: config.detail.to_string(),
            waiting,
            delivered: counts.delivered,
            dropped: counts.dropped,
            given_up: counts.given_up,
            last_delivered: counts.last_delivered_ms.map(Time::from_milliseconds),
            failure: failure.map(|(time, reason)| view::HookFailure { time, reason }),
        }
    }
}

impl From<HookTest> for view::HookTest {
    fn from(test: HookTest) -> Self {
        Self { taken: test.failure.is_none(), reason: test.failure }
    }
}
