//! Reads over HTTP: at which epoch, in which pages, with which headers.

use super::env::TestEnv;
use crate::Config;

#[tokio::test]
async fn nothing_can_be_read_while_the_log_is_taken_in() {
    let env = TestEnv::replaying(Config::default());
    env.log.publish("m1", "PutPolicy", "{}");
    env.log.publish("m2", "PutPolicy", "{}");
    assert_eq!(env.get("/api/v1/epochs/latest").await.problem(), (503, "starting".to_owned()));
    let ready = env.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), ready.json()["ready"].as_bool()), (503, Some(false)));
    assert_eq!(ready.json()["epoch"], 2);
    env.shop.live_from(dataflows::epoch::Epoch(3));
    assert!(env.shop.is_replaying());
    env.log.publish("m3", "PutPolicy", "{}");
    env.shop.set_ready(true, "");
    assert_eq!(env.get("/health/ready").await.status, 200);
    assert_eq!(env.get("/api/v1/epochs/latest").await.json()["epoch"], 3);
    assert_eq!(env.get("/api/v1/epochs/2").await.problem(), (410, "epoch_forgotten".to_owned()));
    assert_eq!(env.get("/api/v1/operations/m1").await.status, 200);
}
