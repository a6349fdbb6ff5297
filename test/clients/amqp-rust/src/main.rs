//! Checks of an AMQP broker with lapin: `lapin-checks URL CHECK`.

use std::time::Duration;

use futures_lite::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::*,
    types::{AMQPValue, FieldTable},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const LIMIT: Duration = Duration::from_secs(60);

async fn connect(url: &str) -> lapin::Result<Connection> {
    Connection::connect(&format!("{url}/%2f"), ConnectionProperties::default()).await
}

fn unique(word: &str) -> String {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!(
        "lapin-{word}-{:x}",
        nanos.map_or(0, |since| since.as_nanos())
    )
}

async fn next(
    consumer: &mut Consumer,
) -> Result<lapin::message::Delivery, Box<dyn std::error::Error>> {
    Ok(tokio::time::timeout(LIMIT, consumer.next())
        .await?
        .ok_or("the consumer was cancelled")??)
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    channel
        .basic_consume(
            queue.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
}

async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &str,
) -> lapin::Result<lapin::Confirmation> {
    channel
        .basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions {
                mandatory: true,
                ..Default::default()
            },
            body.as_bytes(),
            BasicProperties::default().with_delivery_mode(2),
        )
        .await?
        .await
}

async fn declare(
    channel: &Channel,
    queue: &str,
    arguments: FieldTable,
) -> lapin::Result<lapin::Queue> {
    channel
        .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
        .await
}

/// Confirms, what is unroutable, properties and headers there and back, a queue that is full.
async fn confirms(url: &str) -> Outcome {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let queue = unique("confirms");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    declare(&channel, &queue, arguments).await?;
    let mut headers = FieldTable::default();
    headers.insert("whole".into(), AMQPValue::LongLongInt(1 << 40));
    headers.insert("yes".into(), AMQPValue::Boolean(true));
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_headers(headers)
        .with_priority(1)
        .with_correlation_id("c".into())
        .with_message_id("m".into());
    let confirm = channel
        .basic_publish(
            "".into(),
            queue.as_str().into(),
            BasicPublishOptions::default(),
            b"hello",
            properties.clone(),
        )
        .await?
        .await?;
    assert!(confirm.is_ack());
    assert!(publish(&channel, "", &queue, "too much").await?.is_nack());
    let lost = publish(&channel, "", &unique("nowhere"), "lost").await?;
    assert!(lost.is_ack());
    assert_eq!(
        lost.take_message()
            .map(|message| (message.reply_code, message.data.to_vec())),
        Some((312, b"lost".to_vec()))
    );
    let message = channel
        .basic_get(queue.as_str().into(), BasicGetOptions::default())
        .await?
        .ok_or("nothing to get")?;
    assert_eq!(
        (message.data.as_slice(), &message.properties),
        (&b"hello"[..], &properties)
    );
    message.ack(BasicAckOptions::default()).await?;
    channel
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await?;
    connection.close(200, "".into()).await?;
    Ok(())
}

/// Acks, nacks and rejects within a prefetch, dead letters, a consumer that is cancelled.
async fn settle(url: &str) -> Outcome {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let (queue, dead) = (unique("settle"), unique("dead"));
    declare(&channel, &dead, FieldTable::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert(
        "x-dead-letter-exchange".into(),
        AMQPValue::LongString("".into()),
    );
    arguments.insert(
        "x-dead-letter-routing-key".into(),
        AMQPValue::LongString(dead.as_str().into()),
    );
    declare(&channel, &queue, arguments).await?;
    for body in ["0", "1", "2", "3"] {
        assert!(publish(&channel, "", &queue, body).await?.is_ack());
    }
    channel.basic_qos(2, BasicQosOptions::default()).await?;
    let mut consumer = consume(&channel, &queue).await?;
    let first = next(&mut consumer).await?;
    let second = next(&mut consumer).await?;
    first.ack(BasicAckOptions::default()).await?;
    second.reject(BasicRejectOptions { requeue: false }).await?;
    let third = next(&mut consumer).await?;
    let fourth = next(&mut consumer).await?;
    assert_eq!(
        (third.data.as_slice(), fourth.data.as_slice()),
        (&b"2"[..], &b"3"[..])
    );
    third
        .nack(BasicNackOptions {
            requeue: true,
            ..Default::default()
        })
        .await?;
    let again = next(&mut consumer).await?;
    assert_eq!(
        (again.data.as_slice(), again.redelivered),
        (&b"2"[..], true)
    );
    channel
        .basic_cancel(consumer.tag(), BasicCancelOptions::default())
        .await?;
    again.ack(BasicAckOptions::default()).await?;
    fourth.ack(BasicAckOptions::default()).await?;
    let mut letters = consume(&channel, &dead).await?;
    let letter = next(&mut letters).await?;
    assert_eq!(letter.data, b"1");
    let headers = letter
        .properties
        .headers()
        .as_ref()
        .ok_or("a dead letter without headers")?;
    assert!(headers.inner().contains_key("x-death"));
    letter.ack(BasicAckOptions::default()).await?;
    for name in [queue, dead] {
        let left = channel
            .queue_delete(name.as_str().into(), QueueDeleteOptions::default())
            .await?;
        assert_eq!(left, 0);
    }
    connection.close(200, "".into()).await?;
    Ok(())
}

/// Topics, exchanges that are bound to each other, transactions.
async fn routing(url: &str) -> Outcome {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    let (topic, fanout, queue) = (unique("topic"), unique("fanout"), unique("routed"));
    for (name, kind) in [
        (&topic, ExchangeKind::Topic),
        (&fanout, ExchangeKind::Fanout),
    ] {
        channel
            .exchange_declare(
                name.as_str().into(),
                kind,
                ExchangeDeclareOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    let bound = ExchangeBindOptions::default();
    channel
        .exchange_bind(
            fanout.as_str().into(),
            topic.as_str().into(),
            "logs.#".into(),
            bound,
            FieldTable::default(),
        )
        .await?;
    declare(&channel, &queue, FieldTable::default()).await?;
    channel
        .queue_bind(
            queue.as_str().into(),
            fanout.as_str().into(),
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    channel.tx_select().await?;
    publish(&channel, &topic, "logs.rolled.back", "lost").await?;
    channel.tx_rollback().await?;
    publish(&channel, &topic, "logs.a.b", "kept").await?;
    publish(&channel, &topic, "other", "elsewhere").await?;
    channel.tx_commit().await?;
    let mut consumer = consume(&channel, &queue).await?;
    let message = next(&mut consumer).await?;
    assert_eq!(
        (message.data.as_slice(), message.routing_key.as_str()),
        (&b"kept"[..], "logs.a.b")
    );
    message.ack(BasicAckOptions::default()).await?;
    channel.tx_commit().await?;
    assert_eq!(
        channel
            .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
            .await?,
        0
    );
    for name in [topic, fanout] {
        channel
            .exchange_delete(name.as_str().into(), ExchangeDeleteOptions::default())
            .await?;
    }
    connection.close(200, "".into()).await?;
    Ok(())
}

/// A consumer is told when its queue goes; errors have their codes, and close the channel alone.
async fn errors(url: &str) -> Outcome {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    let queue = unique("cancel");
    declare(&channel, &queue, FieldTable::default()).await?;
    let mut consumer = consume(&channel, &queue).await?;
    let other = connection.create_channel().await?;
    other
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await?;
    assert!(
        tokio::time::timeout(LIMIT, consumer.next())
            .await?
            .is_none()
    );
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let error = channel
        .queue_declare(queue.as_str().into(), passive, FieldTable::default())
        .await
        .err();
    let text = error.ok_or("a queue that is gone was found")?.to_string();
    assert!(
        text.contains("NOT-FOUND") || text.contains("NOT_FOUND"),
        "{text}"
    );
    assert_eq!(
        declare(&other, &queue, FieldTable::default())
            .await?
            .message_count(),
        0
    );
    other
        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
        .await?;
    connection.close(200, "".into()).await?;
    let wrong = connect(&url.replace("guest:guest", "guest:wrong"))
        .await
        .err();
    let text = wrong.ok_or("a wrong password was taken")?.to_string();
    assert!(text.contains("ACCESS"), "{text}");
    Ok(())
}

/// What a connection that was dropped has held comes again on another one.
async fn reconnect(url: &str) -> Outcome {
    let queue = unique("reconnect");
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    declare(&channel, &queue, FieldTable::default()).await?;
    for body in ["0", "1", "2"] {
        publish(&channel, "", &queue, body).await?;
    }
    let mut consumer = consume(&channel, &queue).await?;
    next(&mut consumer)
        .await?
        .ack(BasicAckOptions::default())
        .await?;
    next(&mut consumer).await?;
    connection.close(320, "gone".into()).await?;
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    let mut consumer = consume(&channel, &queue).await?;
    for body in ["1", "2"] {
        let message = next(&mut consumer).await?;
        assert_eq!(
            (message.data.as_slice(), message.redelivered),
            (body.as_bytes(), true)
        );
        message.ack(BasicAckOptions::default()).await?;
    }
    assert_eq!(
        channel
            .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
            .await?,
        0
    );
    connection.close(200, "".into()).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let words: Vec<String> = std::env::args().collect();
    let [_, url, check] = words.as_slice() else {
        return Err("lapin-checks URL CHECK".into());
    };
    match check.as_str() {
        "confirms" => confirms(url).await,
        "settle" => settle(url).await,
        "routing" => routing(url).await,
        "errors" => errors(url).await,
        "reconnect" => reconnect(url).await,
        _ => Err(format!("no check {check}").into()),
    }
}
