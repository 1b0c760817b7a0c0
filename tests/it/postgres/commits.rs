//! C12: a connection that is cut in a COMMIT. The write is there once, whatever became of its answer.

use pushcron::store::{AccountState, Blobs};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::cluster::{Cluster, cluster, look, programs};
use super::proxy::{Cut, Proxy};
use super::{NINE, open};

/// Enough to meet each moment often; each costs a reconnect.
const TIMES: usize = 100;

#[tokio::test]
async fn c12_what_is_cut_in_its_commit_is_written_once_and_told_so() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let proxy = Proxy::to(cluster.socket()).await;
    let store = open(&proxy.address(&address)).await;
    let mut outside = look(&address).await;
    // Each run of it leaves a line, so that what is written twice is seen.
    let count = "CREATE TABLE lines (key text);
                 CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
                   AS 'BEGIN INSERT INTO lines VALUES (NEW.key); RETURN NULL; END';
                 CREATE TRIGGER note AFTER INSERT OR UPDATE ON account_state FOR EACH ROW EXECUTE FUNCTION note()";
    sqlx::raw_sql(count).execute(&mut outside).await.unwrap();
    for turn in 0..TIMES {
        let cut = [Cut::Before, Cut::After][turn % 2];
        proxy.cut_next(cut);
        store.save_state("bot", &format!("key{turn:03}"), "value", NINE).await.unwrap();
        assert!(proxy.was_cut(), "turn {turn}: the COMMIT was not seen");
        let lines = sqlx::query("SELECT count(*) FROM lines WHERE key = $1").bind(format!("key{turn:03}"));
        let lines: i64 = lines.fetch_one(&mut outside).await.unwrap().get(0);
        assert_eq!(lines, 1, "turn {turn}, cut {cut:?}");
    }
    let open = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let open: i64 = sqlx::query(open).fetch_one(&mut outside).await.unwrap().get(0);
    assert_eq!(open, 0, "transactions are left open");
    store.close().await;
}

/// The way back may be cut as well: who asks what became of a COMMIT is answered in the end.
#[tokio::test]
async fn a_write_whose_caller_gave_up_waiting_is_written_all_the_same() {
    let Some(cluster) = cluster() else { return };
    let address = cluster.database("").await;
    let store = open(&address).await;
    let large = vec![7; 3 << 20];
    let given_up = tokio::time::timeout(std::time::Duration::ZERO, store.put_blob(large.clone(), NINE)).await;
    assert!(given_up.is_err(), "it was too quick to be given up");
    // It stands before this in the line.
    store.save_state("bot", "after", "it", NINE).await.unwrap();
    let sha256 = pushcron::domain::hex::sha256(&large);
    assert_eq!(store.blob(&sha256).await.unwrap().map(|bytes| bytes.len()), Some(large.len()));
    store.close().await;
}

/// C13, its first half: a standby is asked for and nobody is one, so that a COMMIT waits; and whoever waits is ended. What it wrote
/// is seen by all from then on, and counts as written only once there is no standby to wait for.
#[tokio::test]
async fn c13_what_no_standby_has_is_not_told_as_written() {
    let Some(programs) = programs() else {
        eprintln!("SKIPPED: there is no initdb here");
        return;
    };
    // Others would wait with it.
    let cluster = Cluster::start(&programs);
    let address = cluster.database("").await;
    let store = open(&address).await;
    let mut outside = look(&address).await;
    sqlx::raw_sql("SET synchronous_commit = local").execute(&mut outside).await.unwrap();
    set_standby(&mut outside, "nobody").await;
    // The server looks at its new setting when it comes to it: until then writes come through.
    let mut writes: i64 = 0;
    let (mut write, ended) = loop {
        writes += 1;
        let (store, key) = (store.clone(), format!("key{writes}"));
        let mut write = tokio::spawn(async move { store.save_state("bot", &key, "value", NINE).await });
        tokio::select! {
            biased;
            done = &mut write => done.unwrap().unwrap(),
            pid = waiting(&mut outside, 0) => break (write, pid),
        }
    };
    sqlx::query("SELECT pg_terminate_backend($1)").bind(ended).execute(&mut outside).await.unwrap();
    tokio::select! {
        biased;
        done = &mut write => panic!("no standby has it: {done:?}"),
        // The one who looks what became of it waits as well.
        _ = waiting(&mut outside, ended) => {}
    }
    let seen: i64 = sqlx::query("SELECT count(*) FROM account_state").fetch_one(&mut outside).await.unwrap().get(0);
    assert_eq!(seen, writes, "it is there, and was not told so");
    set_standby(&mut outside, "").await;
    write.await.unwrap().unwrap();
    assert_eq!(store.load_state("bot").await.unwrap().len() as i64, writes);
    store.close().await;
}

async fn set_standby(conn: &mut PgConnection, name: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    sqlx::query(AssertSqlSafe(set)).execute(&mut *conn).await.unwrap();
    sqlx::query("SELECT pg_reload_conf()").execute(&mut *conn).await.unwrap();
    // Each process looks at it when it comes to it.
    loop {
        let told: String = sqlx::query("SHOW synchronous_standby_names").fetch_one(&mut *conn).await.unwrap().get(0);
        if told == name {
            return;
        }
    }
}

/// The process that waits for a standby, once one does that is another than this.
async fn waiting(conn: &mut PgConnection, other_than: i32) -> i32 {
    let find = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> $1";
    loop {
        if let Some(row) = sqlx::query(find).bind(other_than).fetch_optional(&mut *conn).await.unwrap() {
            return row.get(0);
        }
    }
}
