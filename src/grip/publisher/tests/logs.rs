//! The lines that the publisher logs, and that no secret is in them or in errors.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

#[tokio::test]
async fn no_secret_is_in_errors_states_or_debugging() {
    let publisher_text = {
        let publisher =
            publisher(&["http://127.0.0.1:1/?iss=i&key=hunter2hunter2hunter2&token=hunter2".to_owned()]);
        let error = {
            let options =
                PublisherOptions { give_up: Duration::from_millis(50), ..PublisherOptions::default() };
            let publisher =
                publisher_with(&["http://u:hunter2@127.0.0.1:1/?token=hunter2".to_owned()], options);
            publisher.publish(vec![item("a", 1)]).await.expect_err("no server listens")
        };
        let failure =
            Poster::new(&"http://127.0.0.1:1/?key=hunter2&token=hunter2".parse().expect("an endpoint"))
                .expect("a poster")
                .post(Vec::new())
                .await;
        let post::Outcome::Failed(failure) = failure else { panic!("no server listens") };
        format!("{publisher:?} {:?} {error} {error:?} {}", publisher.endpoint_states(), failure.reason)
    };
    assert!(publisher_text.contains("127.0.0.1:1"));
    assert!(!publisher_text.contains("hunter2"), "{publisher_text}");
}

/// The log of a test.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    /// Keeps the log lines of this thread as long as the result lives. The runtime of a test has no other thread.
    fn keep(&self) -> (tracing::Dispatch, tracing::subscriber::DefaultGuard) {
        // With one subscriber, tracing asks only the first thread with an event whether the event is wanted. That thread may belong
        // to another test, which wants no events. With two subscribers, tracing asks both.
        let second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_target(false);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
        tracing::callsite::rebuild_interest_cache();
        (second, guard)
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("unpoisoned");
        std::str::from_utf8(&bytes).expect("text").lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("unpoisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_outage_is_logged_once_and_so_is_its_end_without_secrets() {
    let log = Log::default();
    let _guard = log.keep();
    let calls = AtomicUsize::new(0);
    let server = TestServer::start(move |_| match calls.fetch_add(1, SeqCst) {
        0..=3 => Answer::Status(503, "", ""),
        _ => OK,
    })
    .await;
    let publisher =
        publisher(&[format!("http://{}/?iss=i&key=hunter2hunter2hunter2&token=hunter2", server.address)]);
    publisher.publish(vec![item("a", 1)]).await.expect("accepted");
    let (lines, address) = (log.lines(), server.address);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("WARN publishing to {address} fails: answered 503")), "{lines:?}");
    assert!(lines[1].starts_with(&format!("INFO publishing to {address} works again")), "{lines:?}");
    assert!(!lines.concat().contains("hunter2"), "{lines:?}");
}

#[tokio::test]
async fn an_endpoint_that_refuses_everything_is_logged_once() {
    let log = Log::default();
    let _guard = log.keep();
    let server = TestServer::start(|_| Answer::Status(400, "", "")).await;
    let publisher = publisher(&[url(server.address)]);
    let error = publisher.publish((0..20).map(|n| item(&format!("c{n}"), 1)).collect()).await;
    assert_eq!(error.expect_err("refused").unaccepted().len(), 20);
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    assert!(log.lines()[0].contains("refused an item for c0: 400"), "{:?}", log.lines());
}
