//! Cases that take up places: connections, files, bodies under way.

use crate::bench::hostile::attack::{Attack, PATIENCE};
use crate::bench::hostile::wire;
use crate::bench::hostile::wire::{Elsewhere, request};
use anyhow::Result;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The end of the attacker's address: loopback's first has no limit of its own.
const ATTACKER: u8 = 2;
/// The end of the address of another client.
const OTHER: u8 = 4;
/// The files that this process keeps for everything else.
const FILES_KEPT: usize = 256;

/// The number of files that this process may have open, where the system reports it.
fn open_files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1_024)
}

/// Opens connections from the attacker's address; each sends something and then no more, in turns of three kinds.
fn open(attack: &Attack, from: &Elsewhere, count: usize) -> Vec<TcpStream> {
    let follow = request("GET", "/api/v1/changes?view=stock", attack.node, &[], b"");
    let body = [("content-type", "application/json"), ("content-length", "1000")];
    let slow_body = request("POST", "/api/v1/orders", attack.node, &body, b"{");
    let kinds: [&[u8]; 3] = [&follow, b"GET / HTTP/1.1\r\n", &slow_body];
    let mut open = Vec::new();
    for n in 0..count {
        if attack.is_over() {
            break;
        }
        // The node may drop the attacker at once, as is hoped.
        if let Ok(mut stream) = from.connect(attack.node, Duration::from_secs(2)) {
            let _ = stream.write_all(kinds[n % kinds.len()]);
            open.push(stream);
        }
    }
    open
}

/// The number of connections that the node has not closed.
fn still_open(streams: &mut [TcpStream]) -> usize {
    let is_open = |stream: &mut TcpStream| {
        let mut some = [0; 4_096];
        if stream.set_nonblocking(true).is_err() {
            return false;
        }
        loop {
            match stream.read(&mut some) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    };
    streams.iter_mut().map(is_open).filter(|open| *open).count()
}

/// H7
pub fn connections(attack: &mut Attack) -> Result<()> {
    let wanted = 10_100.min(open_files_max().saturating_sub(FILES_KEPT));
    let mut streams = open(attack, &Elsewhere::new(ATTACKER)?, wanted);
    attack.note(format!("{} of {wanted} connections made", streams.len()));
    hold(attack, Duration::from_secs(5));
    attack.note(format!("{} still open after 5 s", still_open(&mut streams)));
    // Another client gets in meanwhile, from another address.
    let other = Elsewhere::new(OTHER)?;
    let started = Instant::now();
    let asked = other.connect(attack.node, Duration::from_secs(2)).map_err(anyhow::Error::from);
    let asked = asked.and_then(|mut stream| {
        stream.write_all(&request("GET", "/api/v1/policy", attack.node, &[], b""))?;
        wire::answer(&mut stream)
    });
    let (took, told) = (started.elapsed(), asked.map_or_else(|error| format!("{error:#}"), |answer| answer.told()));
    attack.expect(told == "200" && took <= Duration::from_millis(500), || {
        format!("another address: {told} after {} ms", took.as_millis())
    });
    Ok(())
}

/// Waits while the client beside it keeps running.
fn hold(attack: &Attack, during: Duration) {
    let until = (Instant::now() + during).min(attack.until);
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}

/// H8
pub fn open_files(attack: &mut Attack) -> Result<()> {
    let from = Elsewhere::new(ATTACKER)?;
    let streams = open(attack, &from, 1_100);
    let mut kafka = Vec::new();
    for _ in 0..256 {
        if let Ok(stream) = from.connect(attack.kafka, Duration::from_secs(2)) {
            kafka.push(stream);
        }
    }
    attack.note(format!("{} connections, {} of Kafka clients", streams.len(), kafka.len()));
    hold(attack, Duration::from_secs(3));
    let taken = attack.client.post("/api/v1/checkpoints")?;
    attack.expect(taken.status == 201, || format!("no checkpoint meanwhile: {}", taken.problem()));
    // The log's next segments and the tables need files too.
    hold(attack, Duration::from_secs(3));
    drop((streams, kafka));
    Ok(())
}

/// M1
pub fn bodies(attack: &mut Attack) -> Result<()> {
    const BODY_BYTES: usize = 8 << 20;
    let node = attack.node;
    let headers = [("content-type", "application/x-ndjson"), ("content-length", "8388608")];
    let head = request("POST", "/api/v1/commands", node, &headers, b"");
    let slice = vec![b'\n'; 64 << 10];
    let until = attack.until.min(Instant::now() + Duration::from_secs(25));
    let statuses = std::thread::scope(|scope| {
        let send = || {
            let Ok(mut stream) = wire::connect(node, PATIENCE) else { return "no connection".to_owned() };
            let mut sent = stream.write_all(&head);
            // All but the last byte.
            let mut left = BODY_BYTES - 1;
            while sent.is_ok() && left > 0 && Instant::now() < until {
                let some = slice.len().min(left);
                sent = stream.write_all(&slice[..some]);
                left -= some;
            }
            // Either it was refused already, or it is held until all are sent.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            wire::answer(&mut stream).map_or_else(|_| "held".to_owned(), |answer| answer.told())
        };
        let clients: Vec<_> = (0..200).map(|_| scope.spawn(send)).collect();
        let mut statuses = BTreeMap::<String, usize>::new();
        for client in clients {
            *statuses.entry(client.join().unwrap_or_default()).or_default() += 1;
        }
        statuses
    });
    attack.note(format!("200 bodies of 8 MiB: {statuses:?}"));
    let refused = statuses.get("503 overloaded").copied().unwrap_or(0);
    attack.expect(refused > 0, || format!("no body was refused before it was read: {statuses:?}"));
    Ok(())
}
