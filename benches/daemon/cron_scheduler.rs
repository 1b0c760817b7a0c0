//! tokio-cron-scheduler, each job one request with reqwest. Nothing is durable.

use tokio_cron_scheduler::{Job, JobScheduler};

use super::ceiling::{body, client};

pub(crate) fn run(url: &str, due_ms: f64, jobs: usize, channel: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scheduler = JobScheduler::new_with_channel_size(channel).await.unwrap();
        let due = jiff::Timestamp::from_millisecond(due_ms as i64).unwrap();
        let at = due.to_zoned(jiff::tz::TimeZone::UTC).strftime("%S %M %H %d %m *").to_string();
        let client = client();
        for id in 0..jobs {
            let (client, url) = (client.clone(), url.to_owned());
            let job = Job::new_async(at.as_str(), move |_, _| {
                let (client, url) = (client.clone(), url.clone());
                Box::pin(async move {
                    let answer = client
                        .post(&url)
                        .header("webhook-id", id)
                        .body(body(id, "2026-01-01T00:00:00.000Z"))
                        .send()
                        .await;
                    if let Ok(answer) = answer {
                        let _ = answer.bytes().await;
                    }
                })
            });
            scheduler.add(job.unwrap()).await.unwrap();
        }
        scheduler.start().await.unwrap();
        std::future::pending::<()>().await;
    });
}
