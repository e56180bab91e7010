//! What each event means. Every function here changes what is known; what follows from that for the next start is
//! [`Machine::advance`]'s.

use super::lane::QUARANTINE_AFTER;
use super::*;

impl Machine {
    pub(super) fn on_candidate(&mut self, artifact: Arc<Artifact>, out: &mut Vec<Action>) {
        let same = self
            .wanted
            .as_ref()
            .is_some_and(|wanted| wanted.sha256 == artifact.sha256);
        let sha256 = artifact.sha256;
        self.wanted = Some(artifact);
        if same {
            return;
        }
        self.answered = false;
        self.reopen(out);
        if self.is_barred(sha256) {
            let reason = "this build failed inside this agent before; restart the agent to load it again, install another \
                          build, or set its isolation to \"process\"";
            self.last_error = Some(reason.to_owned());
            out.push(Action::Note(Note {
                generation: None,
                state: State::Quarantined,
                reason: reason.to_owned(),
                sha256: Some(sha256),
            }));
        }
    }

    /// Forgets what was held against the wanted content.
    pub(super) fn reopen(&mut self, out: &mut Vec<Action>) {
        self.verdict = Verdict::Open;
        if self.wanted_lane.reset() {
            out.push(Action::Disarm(Timer::Retry(Role::Wanted)));
        }
    }

    pub(super) fn on_removed(&mut self, out: &mut Vec<Action>) {
        self.wanted = None;
        self.good = None;
        self.stop(Grace::Calls, "the file was removed", out);
    }

    pub(super) fn on_enabled(&mut self, enabled: bool, out: &mut Vec<Action>) {
        if enabled == self.enabled {
            return;
        }
        self.enabled = enabled;
        if enabled {
            self.reopen(out);
        } else {
            self.stop(Grace::Calls, "switched off in the configuration", out);
        }
    }

    pub(super) fn on_settings(&mut self, out: &mut Vec<Action>) {
        if self.stopping() {
            return;
        }
        self.reopen(out);
        self.renew = self.serving.is_some();
        self.abandon_start("the settings were changed", out);
    }

    pub(super) fn on_shutdown(&mut self, out: &mut Vec<Action>) {
        if !self.shutdown {
            self.shutdown = true;
            self.stop(Grace::Shutdown, "the agent is shutting down", out);
        }
    }

    pub(super) fn on_ready(&mut self, generation: Generation, out: &mut Vec<Action>) {
        let Some(new) = self.starting.take_if(|live| live.generation == generation) else {
            return;
        };
        out.push(Action::Route(generation));
        self.renew = false;
        let blameless = self
            .lane_of(new.artifact.sha256)
            .is_none_or(|lane| lane.failures == 0);
        // Why a host had to be replaced is told for as long as a death would be.
        let wedged = self
            .serving
            .as_ref()
            .is_some_and(|old| old.wedged && old.artifact.sha256 == new.artifact.sha256);
        if blameless && !wedged && self.is_wanted(new.artifact.sha256) {
            self.last_error = None;
        }
        note(
            out,
            &new,
            State::Ready,
            &format!("serves version {}", new.artifact.manifest.version),
        );
        let old = self.serving.replace(new);
        out.push(Action::Arm(Timer::Probation, PROBATION));
        out.push(Action::Arm(Timer::Health, HEALTH));
        if let Some(old) = old {
            self.retire(old, generation, out);
        }
    }

    pub(super) fn retire(&mut self, old: Live, successor: Generation, out: &mut Vec<Action>) {
        let died_early = self
            .lane_of(old.artifact.sha256)
            .is_some_and(|lane| lane.early_deaths > 0);
        if !died_early {
            self.good = Some(Arc::clone(&old.artifact));
        }
        if old.wedged {
            out.push(Action::Arm(Timer::Siblings, SIBLING_GRACE));
        }
        note(
            out,
            &old,
            State::Draining,
            &format!("replaced by generation {successor}"),
        );
        out.push(Action::Drain(old.generation, Grace::Calls));
        self.draining.push(old);
    }

    pub(super) fn on_start_failed(
        &mut self,
        generation: Generation,
        refused: bool,
        reason: String,
        jitter: f64,
        out: &mut Vec<Action>,
    ) {
        let Some(failed) = self.starting.take_if(|live| live.generation == generation) else {
            return;
        };
        let wanted = self.is_wanted(failed.artifact.sha256);
        let state = match (refused, wanted) {
            (true, true) => {
                self.verdict = Verdict::Refused;
                State::Refused
            }
            (true, false) => {
                self.good = None;
                State::Refused
            }
            (false, _) => self.fail(failed.artifact.sha256, jitter, out),
        };
        note(out, &failed, state, &reason);
        self.last_error = Some(reason);
        let failures = self
            .lane_of(failed.artifact.sha256)
            .map_or(0, |lane| lane.failures);
        if failed.in_process && !refused && failures >= QUARANTINE_AFTER {
            let reason = format!(
                "it failed to start {failures} times inside the agent, and every try leaves its image there; restart the \
                 agent to try again, install another build, or set its isolation to \"process\""
            );
            self.bar(&failed, reason, out);
        }
        self.last_tried = Some(failed);
    }

    pub(super) fn on_start_stuck(&mut self, generation: Generation, reason: &str, out: &mut Vec<Action>) {
        let Some(failed) = self.starting.take_if(|live| live.generation == generation) else {
            return;
        };
        let reason = format!(
            "{reason}; restart the agent, install another build, or set its isolation to \"process\""
        );
        self.bar(&failed, reason, out);
        self.last_tried = Some(failed);
    }

    /// Its content is not loaded into this agent again.
    fn bar(&mut self, live: &Live, reason: String, out: &mut Vec<Action>) {
        let sha256 = live.artifact.sha256;
        if !self.barred.contains(&sha256) {
            self.barred.push(sha256);
        }
        let role = if self.is_wanted(sha256) {
            Role::Wanted
        } else {
            Role::Good
        };
        if self.lane_mut(sha256).is_some_and(Lane::stop_waiting) {
            out.push(Action::Disarm(Timer::Retry(role)));
        }
        note(out, live, State::Quarantined, &reason);
        self.last_error = Some(reason);
    }

    pub(super) fn on_gone(
        &mut self,
        generation: Generation,
        reason: &str,
        answered: bool,
        jitter: f64,
        out: &mut Vec<Action>,
    ) {
        if let Some(at) = self
            .draining
            .iter()
            .position(|live| live.generation == generation)
        {
            let gone = self.draining.remove(at);
            if !self.draining.iter().any(|live| live.wedged) {
                out.push(Action::Disarm(Timer::Siblings));
            }
            note(out, &gone, State::Stopped, reason);
            return;
        }
        let Some(dead) = self.serving.take_if(|live| live.generation == generation) else {
            return;
        };
        out.push(Action::Unroute);
        out.push(Action::Disarm(Timer::Probation));
        out.push(Action::Disarm(Timer::Health));
        self.renew = false;
        self.last_error = Some(format!("its host ended: {reason}"));
        self.answered |= answered && self.is_wanted(dead.artifact.sha256);
        if let Some(lane) = self.lane_mut(dead.artifact.sha256) {
            lane.died(!dead.proven);
        }
        let state = self.fail(dead.artifact.sha256, jitter, out);
        note(out, &dead, state, &format!("the host ended: {reason}"));
        self.consider_rollback(&dead, out);
        self.last_tried = Some(dead);
    }

    pub(super) fn consider_rollback(&mut self, dead: &Live, out: &mut Vec<Action>) {
        let spare = self
            .good
            .as_ref()
            .filter(|good| good.sha256 != dead.artifact.sha256);
        if !self.is_wanted(dead.artifact.sha256) || self.wanted_lane.early_deaths < EARLY_DEATHS {
            return;
        }
        let Some(spare) = spare else { return };
        let reason = format!(
            "version {} ended {EARLY_DEATHS} times within {} s of its start; version {} serves again until a new file comes",
            dead.artifact.manifest.version,
            PROBATION.as_secs(),
            spare.manifest.version
        );
        self.verdict = Verdict::RolledBack;
        if self.wanted_lane.stop_waiting() {
            out.push(Action::Disarm(Timer::Retry(Role::Wanted)));
        }
        note(out, dead, State::Quarantined, &reason);
        self.last_error = Some(reason);
    }

    pub(super) fn on_overdue(&mut self, generation: Generation, out: &mut Vec<Action>) {
        let here = |live: &mut Live| live.generation == generation && live.in_process;
        if let Some(live) = self.serving.take_if(here) {
            return self.fail_until_restart(live, out);
        }
        if let Some(live) = self.serving.as_mut().filter(|live| live.generation == generation) {
            if live.wedged {
                return;
            }
            live.wedged = true;
            self.renew = true;
            let reason = "a call did not end within the connector's timeout nor when it was cancelled; a fresh host takes over";
            note(out, live, State::Ready, reason);
            self.last_error = Some(reason.to_owned());
            if !self.draining.is_empty() {
                out.push(Action::Arm(Timer::Siblings, SIBLING_GRACE));
            }
        } else if let Some(live) = self
            .draining
            .iter_mut()
            .find(|live| live.generation == generation)
            && !live.wedged
        {
            live.wedged = true;
            out.push(Action::Arm(Timer::Siblings, SIBLING_GRACE));
        }
    }

    /// A generation inside the agent has an overdue call: nothing ends that, so it gets no other, and no fresh generation of
    /// the same code, which would lose a thread in the same way, comes in its place.
    fn fail_until_restart(&mut self, mut live: Live, out: &mut Vec<Action>) {
        live.wedged = true;
        self.renew = false;
        self.answered |= self.is_wanted(live.artifact.sha256);
        out.push(Action::Unroute);
        out.push(Action::Disarm(Timer::Probation));
        out.push(Action::Disarm(Timer::Health));
        let reason = "a call did not end within the connector's timeout nor when it was cancelled, and inside the agent \
                      nothing can end it; restart the agent, install another build, or set its isolation to \"process\"";
        self.bar(&live, reason.to_owned(), out);
        out.push(Action::Drain(live.generation, Grace::Calls));
        out.push(Action::Arm(Timer::Siblings, SIBLING_GRACE));
        self.last_tried = Some(live.clone());
        self.draining.push(live);
    }

    pub(super) fn on_outdated(&mut self, generation: Generation, reason: &str, out: &mut Vec<Action>) {
        let Some(live) = self.serving.as_ref().filter(|live| live.generation == generation) else {
            return;
        };
        if !self.renew {
            self.renew = true;
            note(out, live, State::Ready, reason);
        }
    }

    pub(super) fn on_timer(&mut self, timer: Timer, out: &mut Vec<Action>) {
        match timer {
            Timer::Retry(Role::Wanted) => {
                self.wanted_lane.stop_waiting();
            }
            Timer::Retry(Role::Good) => {
                self.good_lane.stop_waiting();
            }
            Timer::Probation => self.on_proven(),
            Timer::Health => self.on_healthy(),
            Timer::Siblings => {
                // Those that drain beside a wedged one that serves make room for its successor.
                let room = self.serving.as_ref().is_some_and(|live| live.wedged);
                for live in self.draining.iter().filter(|live| live.wedged || room) {
                    out.push(Action::Kill(live.generation, "calls were overdue"));
                }
            }
        }
    }

    pub(super) fn on_proven(&mut self) {
        let Some(live) = self.serving.as_mut() else { return };
        live.proven = true;
        let artifact = Arc::clone(&live.artifact);
        self.answered |= self.is_wanted(artifact.sha256);
        if let Some(lane) = self.lane_mut(artifact.sha256) {
            lane.early_deaths = 0;
        }
    }

    pub(super) fn on_healthy(&mut self) {
        let Some(sha256) = self.serving.as_ref().map(|live| live.artifact.sha256) else {
            return;
        };
        if let Some(lane) = self.lane_mut(sha256) {
            lane.failures = 0;
        }
        if self.is_wanted(sha256) {
            self.last_error = None;
        }
    }
}
