//! Consumer groups by the classic protocol: who is in, which generation it is, who has which share. In memory: members
//! join again after a restart, as they do when a broker goes. Not for how far a group is: see `offsets`.

mod answers;
mod member;

use super::{Config, code, random};
use crate::log::lock;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use member::Member;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// All groups.
pub struct Groups {
    config: Config,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: BTreeMap<String, Group>,
    /// How many names of members were given out.
    names: u64,
}

/// Where a group is on its way to its next generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody is in.
    Empty,
    /// Members join, until all have or it is too late; not before the first of these times.
    Joining { not_before: Instant, until: Instant },
    /// The leader deals out the shares.
    Sharing { until: Instant },
    /// Everybody has a share.
    Stable,
}

struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: StrBytes,
    protocol: StrBytes,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Names that were given to who must join once more with it, and until when they are good.
    promised: BTreeMap<String, Instant>,
    used: Instant,
}

impl Groups {
    /// No groups.
    pub fn new(config: Config) -> Groups {
        Groups { config, state: Mutex::default() }
    }

    /// Takes a member in, and answers when the group's next generation is complete.
    pub async fn join(
        &self,
        request: JoinGroupRequest,
        version: i16,
        client: String,
        host: String,
    ) -> JoinGroupResponse {
        let (answer, answered) = oneshot::channel();
        let id = request.member_id.clone();
        let member = Member::of(&request, client, host, &self.config);
        let refused = match member {
            Ok(member) => self.enter(&request, member, version, answer),
            Err(code) => Some((code, id)),
        };
        match refused {
            Some((code, member_id)) => JoinGroupResponse::default()
                .with_error_code(code)
                .with_member_id(member_id)
                .with_protocol_name(Some(StrBytes::default())),
            // Who is sent away without an answer was given up.
            None => answered.await.unwrap_or_else(|_| {
                JoinGroupResponse::default()
                    .with_error_code(code::UNKNOWN_MEMBER_ID)
                    .with_protocol_name(Some(StrBytes::default()))
            }),
        }
    }

    /// None if the member is in and will be answered; else why not, and its name.
    fn enter(
        &self,
        request: &JoinGroupRequest,
        mut member: Member,
        version: i16,
        answer: oneshot::Sender<JoinGroupResponse>,
    ) -> Option<(i16, StrBytes)> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let name = request.group_id.to_string();
        if name.is_empty() {
            return Some((code::INVALID_GROUP_ID, request.member_id.clone()));
        }
        if !state.groups.contains_key(&name) && !state.make_room(self.config.groups_max) {
            return Some((code::COORDINATOR_NOT_AVAILABLE, request.member_id.clone()));
        }
        state.names += 1;
        let number = state.names;
        let group = state.groups.entry(name).or_insert_with(|| Group::new(now));
        group.used = now;
        let mut id = request.member_id.to_string();
        let is_known = group.members.contains_key(&id);
        // Who was given a name has its place already.
        let has_place = is_known || group.promised.contains_key(&id);
        if !has_place && group.members.len() + group.promised.len() >= self.config.members_max {
            return Some((code::GROUP_MAX_SIZE_REACHED, request.member_id.clone()));
        }
        if !group.takes(&id, &request.protocol_type, &member) {
            return Some((code::INCONSISTENT_GROUP_PROTOCOL, request.member_id.clone()));
        }
        if id.is_empty() {
            id = format!("{}-{:08x}-{number}", member.client, random() & 0xffff_ffff);
            if version >= 4 {
                group.promised.insert(id.clone(), now + member.session);
                return Some((code::MEMBER_ID_REQUIRED, StrBytes::from_string(id)));
            }
        } else if group.promised.remove(&id).is_none() && !is_known {
            return Some((code::UNKNOWN_MEMBER_ID, request.member_id.clone()));
        }
        let before = group.members.get(&id);
        let is_same = before.is_some_and(|before| before.protocols == member.protocols);
        member.assignment = before.map(|before| before.assignment.clone()).unwrap_or_default();
        if is_same
            && (matches!(group.phase, Phase::Sharing { .. }) || (group.phase == Phase::Stable && group.leader != id))
        {
            // It has not heard the answer; nothing has changed.
            let again = group.joined(&id);
            if let Some(member) = group.members.get_mut(&id) {
                member.seen = now;
            }
            drop(answer.send(again));
            return None;
        }
        member.joining = Some(answer);
        group.protocol_type = request.protocol_type.clone();
        group.members.insert(id, member);
        group.begin(now, &self.config);
        group.go_on(now);
        None
    }

    /// Answers with a member's share, once the leader has dealt them out.
    pub async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let (answer, answered) = oneshot::channel();
        let refused = self.share(request, answer);
        if refused != code::NONE {
            return SyncGroupResponse::default().with_error_code(refused);
        }
        let gone = |_| SyncGroupResponse::default().with_error_code(code::REBALANCE_IN_PROGRESS);
        answered.await.unwrap_or_else(gone)
    }

    fn share(&self, request: SyncGroupRequest, answer: oneshot::Sender<SyncGroupResponse>) -> i16 {
        let mut state = lock(&self.state);
        let group = match state.member(&request.group_id, request.generation_id, &request.member_id) {
            Ok(group) => group,
            Err(code) => return code,
        };
        let is_leader = group.leader == request.member_id.as_str();
        let (shares, bytes_max) = (request.assignments, self.config.member_bytes_max);
        if is_leader && shares.iter().any(|share| share.assignment.len() > bytes_max) {
            return code::INVALID_REQUEST;
        }
        match group.phase {
            Phase::Empty => return code::UNKNOWN_MEMBER_ID,
            Phase::Joining { .. } => return code::REBALANCE_IN_PROGRESS,
            Phase::Stable => {}
            Phase::Sharing { .. } => {
                if let Some(member) = group.members.get_mut(request.member_id.as_str()) {
                    member.syncing = Some(answer);
                }
                if is_leader {
                    group.deal(
                        shares.into_iter().map(|share| (share.member_id.to_string(), share.assignment)).collect(),
                    );
                }
                return code::NONE;
            }
        }
        let share = group.members.get(request.member_id.as_str()).map(|member| member.assignment.clone());
        drop(answer.send(SyncGroupResponse::default().with_assignment(share.unwrap_or_default())));
        code::NONE
    }

    /// A member is there.
    pub fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let mut state = lock(&self.state);
        let code = match state.member(&request.group_id, request.generation_id, &request.member_id) {
            Ok(group) if matches!(group.phase, Phase::Joining { .. }) => code::REBALANCE_IN_PROGRESS,
            Ok(_) => code::NONE,
            Err(code) => code,
        };
        HeartbeatResponse::default().with_error_code(code)
    }

    /// A member goes.
    pub fn leave(&self, request: LeaveGroupRequest) -> LeaveGroupResponse {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let id = request.member_id.as_str();
        let left = state.groups.get_mut(request.group_id.as_str()).is_some_and(|group| {
            group.promised.remove(id).is_some() || {
                let left = group.members.remove(id).is_some();
                group.lost(left, now, &self.config);
                left
            }
        });
        let code = if left { code::NONE } else { code::UNKNOWN_MEMBER_ID };
        LeaveGroupResponse::default().with_error_code(code)
    }

    /// Whether a member may say how far its group is. Who only keeps offsets here is in no generation.
    pub fn may_commit(&self, group: &str, generation: i32, member_id: &str) -> i16 {
        if group.is_empty() {
            return code::INVALID_GROUP_ID;
        }
        let mut state = lock(&self.state);
        let is_empty = state.groups.get(group).is_none_or(|group| group.members.is_empty());
        if generation < 0 && is_empty {
            return code::NONE;
        }
        match state.member(group, generation, member_id) {
            Ok(group) if matches!(group.phase, Phase::Sharing { .. }) => code::REBALANCE_IN_PROGRESS,
            Ok(_) => code::NONE,
            Err(code) => code,
        }
    }

    /// Whether somebody is in the group.
    pub fn is_live(&self, group: &str) -> bool {
        lock(&self.state).groups.get(group).is_some_and(|group| !group.members.is_empty())
    }

    /// Forgets a group that nobody is in; false if there is none.
    pub fn forget(&self, group: &str) -> bool {
        !self.is_live(group) && lock(&self.state).groups.remove(group).is_some()
    }

    /// Lets go of who was silent for too long, and goes on without who did not join again in time.
    pub fn expire(&self) {
        let now = Instant::now();
        for group in lock(&self.state).groups.values_mut() {
            group.promised.retain(|_, until| now < *until);
            let before = group.members.len();
            group.members.retain(|_, member| member.is_waiting() || now < member.seen + member.session);
            group.lost(group.members.len() < before, now, &self.config);
            if let Phase::Sharing { until } = group.phase
                && until <= now
            {
                // The leader does not deal out shares; who waits for one joins again.
                group.members.retain(|_, member| member.syncing.is_some());
                group.lost(true, now, &self.config);
            }
            group.go_on(now);
        }
    }
}

impl State {
    /// Whether there is room for a further group, if need be that of an empty one.
    fn make_room(&mut self, groups_max: usize) -> bool {
        if self.groups.len() < groups_max {
            return true;
        }
        let empty = self.groups.iter().filter(|(_, group)| group.members.is_empty() && group.promised.is_empty());
        let oldest = empty.min_by_key(|(_, group)| group.used).map(|(name, _)| name.clone());
        oldest.and_then(|name| self.groups.remove(&name)).is_some()
    }

    /// The group of a member of its generation, which is seen now.
    fn member(&mut self, group: &str, generation: i32, member_id: &str) -> Result<&mut Group, i16> {
        if group.is_empty() {
            return Err(code::INVALID_GROUP_ID);
        }
        let group = self.groups.get_mut(group).ok_or(code::UNKNOWN_MEMBER_ID)?;
        let member = group.members.get_mut(member_id).ok_or(code::UNKNOWN_MEMBER_ID)?;
        member.seen = Instant::now();
        if group.generation != generation {
            return Err(code::ILLEGAL_GENERATION);
        }
        group.used = Instant::now();
        Ok(group)
    }
}

impl Group {
    fn new(now: Instant) -> Group {
        Group {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: StrBytes::default(),
            protocol: StrBytes::default(),
            leader: String::new(),
            members: BTreeMap::new(),
            promised: BTreeMap::new(),
            used: now,
        }
    }

    /// Whether a member of that name and these protocols goes with the others.
    fn takes(&self, id: &str, protocol_type: &str, member: &Member) -> bool {
        let others: Vec<&Member> = self.members.iter().filter(|(other, _)| *other != id).map(|(_, one)| one).collect();
        let is_common = |name: &StrBytes| others.iter().all(|other| other.metadata(name).is_some());
        others.is_empty()
            || (self.protocol_type.as_str() == protocol_type
                && member.protocols.iter().any(|(name, _)| is_common(name)))
    }

    /// Everybody joins again.
    fn begin(&mut self, now: Instant, config: &Config) {
        if matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        let first = if self.phase == Phase::Empty { config.first_join_ms } else { 0 };
        let longest = self.members.values().map(|member| member.rebalance).max().unwrap_or_default();
        self.phase = Phase::Joining { not_before: now + Duration::from_millis(first), until: now + longest };
        // Who waits for a share joins again.
        self.members.values_mut().for_each(|member| drop(member.syncing.take()));
    }

    /// Somebody has gone, or nobody.
    fn lost(&mut self, is_lost: bool, now: Instant, config: &Config) {
        if !is_lost {
            return;
        }
        if self.members.is_empty() {
            (self.phase, self.leader) = (Phase::Empty, String::new());
            return;
        }
        self.begin(now, config);
        self.go_on(now);
    }

    /// Completes the generation if all have joined, or it is too late for the others.
    fn go_on(&mut self, now: Instant) {
        let Phase::Joining { not_before, until } = self.phase else { return };
        let all_are_in = self.members.values().all(|member| member.joining.is_some());
        if now < not_before || (!all_are_in && now < until) {
            return;
        }
        self.members.retain(|_, member| member.joining.is_some());
        if self.members.is_empty() {
            (self.phase, self.leader) = (Phase::Empty, String::new());
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.protocol = self.chosen();
        let longest = self.members.values().map(|member| member.rebalance).max().unwrap_or_default();
        self.phase = Phase::Sharing { until: now + longest };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.seen = now;
                // Who is gone meanwhile is missed when its time is over.
                if let Some(joining) = member.joining.take() {
                    drop(joining.send(answer));
                }
            }
        }
    }

    /// The protocol that all have and most like best.
    fn chosen(&self) -> StrBytes {
        let is_common = |name: &StrBytes| self.members.values().all(|member| member.metadata(name).is_some());
        let mut votes: BTreeMap<&str, (usize, &StrBytes)> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| is_common(name)) {
                votes.entry(name.as_str()).or_insert((0, name)).0 += 1;
            }
        }
        votes.into_values().max_by_key(|(count, _)| *count).map(|(_, name)| name.clone()).unwrap_or_default()
    }

    /// Everybody gets a share.
    fn deal(&mut self, mut shares: BTreeMap<String, bytes::Bytes>) {
        for (id, member) in &mut self.members {
            member.assignment = shares.remove(id).unwrap_or_default();
            let share = SyncGroupResponse::default().with_assignment(member.assignment.clone());
            if let Some(syncing) = member.syncing.take() {
                drop(syncing.send(share));
            }
        }
        self.phase = Phase::Stable;
    }
}
