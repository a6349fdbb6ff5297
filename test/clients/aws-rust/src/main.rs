//! Checks SQS with the AWS SDK for Rust: aws-checks URL CHECK

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};

struct Checks {
    sqs: Client,
}

impl Checks {
    async fn create(&self, word: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let suffix = if word.ends_with("fifo") { ".fifo" } else { "" };
        let mut request = self.sqs.create_queue().queue_name(format!("rust-{word}-{nanos:x}{suffix}"));
        for (name, value) in attributes {
            request = request.attributes(name.clone(), *value);
        }
        request.send().await.unwrap().queue_url.unwrap()
    }

    async fn receive(&self, url: &str) -> Vec<Message> {
        let request = self.sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(20);
        let names = request.message_attribute_names("All").message_system_attribute_names(MessageSystemAttributeName::All);
        names.send().await.unwrap().messages.unwrap_or_default()
    }

    async fn delete(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle().unwrap();
        self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
    }

    async fn count(&self, url: &str) -> String {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        request.send().await.unwrap().attributes().unwrap()[&name].clone()
    }

    /// Bodies and attributes come as they were sent.
    async fn messages(&self) {
        let url = self.create("messages", &[]).await;
        let text = MessageAttributeValue::builder().data_type("String.kind").string_value("täxt <&>\r\n").build().unwrap();
        let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0, 255, 10])).build().unwrap();
        let attributes = HashMap::from([("text".to_string(), text), ("bytes".to_string(), bytes)]);
        let request = self.sqs.send_message().queue_url(&url).message_body("first <&> \r\n\t ü");
        let sent = request.set_message_attributes(Some(attributes.clone())).send().await.unwrap();
        let got = self.receive(&url).await;
        assert_eq!(got[0].body(), Some("first <&> \r\n\t ü"));
        assert_eq!(got[0].message_id(), sent.message_id());
        assert_eq!(got[0].md5_of_message_attributes(), sent.md5_of_message_attributes());
        assert_eq!(got[0].message_attributes(), Some(&attributes));
        self.delete(&url, &got[0]).await;
        assert_eq!(self.count(&url).await, "0");
    }

    /// A batch tells entry by entry what became of it.
    async fn batches(&self) {
        let url = self.create("batches", &[]).await;
        let entry = |n: usize| SendMessageBatchRequestEntry::builder().id(format!("id{n}")).message_body(format!("{n}")).build().unwrap();
        let sent = self.sqs.send_message_batch().queue_url(&url).set_entries(Some((0..10).map(entry).collect())).send().await.unwrap();
        assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
        let mut entries = Vec::new();
        while entries.len() < 10 {
            for message in self.receive(&url).await {
                let handle = if entries.len() == 4 { "garbage" } else { message.receipt_handle().unwrap() };
                let entry = DeleteMessageBatchRequestEntry::builder().id(format!("id{}", entries.len())).receipt_handle(handle);
                entries.push(entry.build().unwrap());
            }
        }
        let deleted = self.sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
        assert_eq!((deleted.successful().len(), deleted.failed().len()), (9, 1));
        assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    }

    /// A poll that waits gets the message that comes.
    async fn long_poll(&self) {
        let url = self.create("poll", &[]).await;
        let send = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.sqs.send_message().queue_url(&url).message_body("wake up").send().await.unwrap();
        };
        let (got, ()) = tokio::join!(self.receive(&url), send);
        assert_eq!(got[0].body(), Some("wake up"));
    }

    /// A group keeps its order, and what is sent twice is stored once.
    async fn fifo(&self) {
        let url = self.create("fifo", &[(QueueAttributeName::FifoQueue, "true")]).await;
        for n in 0..10 {
            let request = self.sqs.send_message().queue_url(&url).message_body(n.to_string()).message_group_id("g");
            let request = request.message_deduplication_id(n.to_string());
            let first = request.clone().send().await.unwrap();
            let second = request.send().await.unwrap();
            assert_eq!(first.sequence_number(), second.sequence_number());
        }
        let mut bodies = Vec::new();
        while bodies.len() < 10 {
            for message in self.receive(&url).await {
                self.delete(&url, &message).await;
                bodies.push(message.body.unwrap());
            }
        }
        assert_eq!(bodies, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    /// Errors have the types that programs match.
    async fn errors(&self) {
        let url = self.create("errors", &[]).await;
        let error = self.sqs.get_queue_url().queue_name("rust-none").send().await.unwrap_err().into_service_error();
        assert!(error.is_queue_does_not_exist(), "{error:?}");
        let error = self.sqs.delete_message().queue_url(&url).receipt_handle("x").send().await.unwrap_err().into_service_error();
        assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
        let error = self.sqs.send_message_batch().queue_url(&url).set_entries(Some(vec![])).send().await.unwrap_err().into_service_error();
        assert!(error.is_empty_batch_request(), "{error:?}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("any", "any", None, None, "checks"))
        .endpoint_url(&words[1])
        .build();
    let checks = Checks { sqs: Client::from_conf(config) };
    match words[2].as_str() {
        "messages" => checks.messages().await,
        "batches" => checks.batches().await,
        "longpoll" => checks.long_poll().await,
        "fifo" => checks.fifo().await,
        "errors" => checks.errors().await,
        other => panic!("there is no check {other}"),
    }
}
