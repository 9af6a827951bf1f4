//! The number of files and sockets that the process may have open, and the share of connections, so that there are
//! always some for the log. Not for connections themselves.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The files of everything but connections: segments, outputs, checkpoints, the index, the tables.
const OTHERS: u64 = 512;
/// The files of the log, however few there are.
const LOG: u64 = 64;

/// Raises the limit of open files as far as it may be, and gives connections no more places than fit below it.
pub fn fit(mut config: Config) -> Config {
    let wanted = [config.serving.connections_max, config.kafka.listen_connections_max];
    let limit = raise();
    let [http, kafka] = limit.map_or(wanted, |limit| places(limit, wanted));
    if [http, kafka] != wanted {
        tracing::warn!(
            limit,
            connections_max = http,
            listen_connections_max = kafka,
            "the limit of open files (ulimit -n) is too low for serving.connections_max, kafka.listen_connections_max and \
             {OTHERS} others: fewer connections are taken"
        );
    }
    (config.serving.connections_max, config.kafka.listen_connections_max) = (http, kafka);
    config
}

/// Raises the limit to the hard limit; returns it, if there is one.
fn raise() -> Option<u64> {
    let Rlimit { current: _, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

/// The wanted connections of HTTP and of Kafka clients that fit below the limit.
fn places(limit: u64, [http, kafka]: [usize; 2]) -> [usize; 2] {
    let others = OTHERS.min(limit / 2).max(LOG.min(limit));
    let room = usize::try_from(limit - others).unwrap_or(usize::MAX);
    if http.saturating_add(kafka) <= room {
        return [http, kafka];
    }
    // A quarter is for Kafka clients, and what HTTP has no use for.
    let kafka = kafka.min((room / 4).max(room.saturating_sub(http))).max(1);
    [http.min(room.saturating_sub(kafka)).max(1), kafka]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        let wanted = [10_000, 256];
        assert_eq!(places(1 << 20, wanted), wanted);
        assert_eq!(places(10_768, wanted), wanted);
        assert_eq!(places(10_767, wanted), [9_999, 256]);
        assert_eq!(places(1_024, wanted), [384, 128]);
        // Half of very few is for others, and the log has its own.
        assert_eq!(places(256, wanted), [96, 32]);
        assert_eq!(places(100, wanted), [27, 9]);
        assert_eq!(places(1_024, [100, 1_000]), [100, 412]);
        assert_eq!(places(10, wanted), [1, 1]);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be() {
        assert_eq!(raise(), getrlimit(Resource::Nofile).maximum);
    }
}
