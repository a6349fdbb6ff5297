<?php
// Checks of an AMQP broker with php-amqplib: `php amqplib_checks.php URL CHECK`.

require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const LIMIT_SECONDS = 60;

function connect(string $url): AMQPStreamConnection
{
    $parts = parse_url($url);
    return new AMQPStreamConnection($parts['host'], $parts['port'], $parts['user'], $parts['pass']);
}

function unique(string $word): string
{
    return "php-$word-" . bin2hex(random_bytes(4));
}

function expect(mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        throw new Exception(json_encode($actual) . ' instead of ' . json_encode($expected));
    }
}

/** The next message of a queue, when it has come. */
function await_message($channel, string $queue): AMQPMessage
{
    $end = time() + LIMIT_SECONDS;
    while (time() < $end) {
        $message = $channel->basic_get($queue, true);
        if ($message !== null) {
            return $message;
        }
        usleep(20000);
    }
    throw new Exception("nothing came to $queue");
}

/** Confirms, a queue that is full, what is unroutable, properties and headers there and back. */
function confirms(string $url): void
{
    $connection = connect($url);
    $channel = $connection->channel();
    $channel->confirm_select();
    $limits = new AMQPTable(['x-max-length' => 1, 'x-overflow' => 'reject-publish']);
    [$queue] = $channel->queue_declare(unique('confirms'), false, true, false, false, false, $limits);
    $outcomes = [];
    $channel->set_ack_handler(function ($message) use (&$outcomes) {
        $outcomes[$message->body] = 'ack';
    });
    $channel->set_nack_handler(function ($message) use (&$outcomes) {
        $outcomes[$message->body] = 'nack';
    });
    $channel->set_return_listener(function ($code) use (&$outcomes) {
        $outcomes['returned'] = $code;
    });
    $headers = ['whole' => 1 << 40, 'yes' => true, 'in' => ['a' => 1], 'text' => 'täxt'];
    $properties = [
        'content_type' => 'text/plain',
        'delivery_mode' => 2,
        'priority' => 1,
        'correlation_id' => 'c',
        'expiration' => '60000',
        'message_id' => 'm',
        'timestamp' => 1700000000,
    ];
    $channel->basic_publish(new AMQPMessage('one', $properties + ['application_headers' => new AMQPTable($headers)]), '', $queue);
    $channel->basic_publish(new AMQPMessage('two'), '', $queue);
    $channel->basic_publish(new AMQPMessage('lost'), '', unique('nowhere'), true);
    $channel->wait_for_pending_acks_returns(LIMIT_SECONDS);
    ksort($outcomes);
    expect($outcomes, ['lost' => 'ack', 'one' => 'ack', 'returned' => 312, 'two' => 'nack']);
    $message = await_message($channel, $queue);
    $shown = $message->get_properties();
    expect($shown['application_headers']->getNativeData(), $headers);
    unset($shown['application_headers']);
    ksort($shown);
    ksort($properties);
    expect($shown, $properties);
    $channel->basic_publish(new AMQPMessage('bare'), '', $queue);
    expect(await_message($channel, $queue)->get_properties(), []);
    $channel->queue_delete($queue);
    $connection->close();
}

/** Acks, nacks and rejects within a prefetch, dead letters, a cancelled consumer, a new connection. */
function settle(string $url): void
{
    $connection = connect($url);
    $channel = $connection->channel();
    [$dead] = $channel->queue_declare(unique('dead'));
    $arguments = new AMQPTable(['x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => $dead]);
    [$queue] = $channel->queue_declare(unique('settle'), false, true, false, false, false, $arguments);
    foreach (['1', '2', '3', '4'] as $body) {
        $channel->basic_publish(new AMQPMessage($body, ['delivery_mode' => 2]), '', $queue);
    }
    $seen = [];
    $channel->basic_qos(0, 1, false);
    $tag = $channel->basic_consume($queue, '', false, false, false, false, function ($message) use (&$seen) {
        $seen[] = [$message->body, $message->isRedelivered()];
        if ($message->body === '1' && !$message->isRedelivered()) {
            $message->nack(true);
        } elseif ($message->body === '2') {
            $message->reject(false);
        } elseif ($message->body !== '4') {
            $message->ack();
        }
    });
    while (count($seen) < 5) {
        $channel->wait(null, false, LIMIT_SECONDS);
    }
    expect($seen, [['1', false], ['1', true], ['2', false], ['3', false], ['4', false]]);
    $channel->basic_cancel($tag);
    $letter = await_message($channel, $dead);
    expect([$letter->body, $letter->get('application_headers')->getNativeData()['x-death'][0]['reason']], ['2', 'rejected']);
    $connection->reconnect();
    $channel = $connection->channel();
    $message = await_message($channel, $queue);
    expect([$message->body, $message->isRedelivered()], ['4', true]);
    expect($channel->queue_delete($queue), 0);
    $connection->close();
}

/** Topics through bound exchanges, transactions. */
function routing(string $url): void
{
    $connection = connect($url);
    $channel = $connection->channel();
    [$topic, $fanout] = [unique('topic'), unique('fanout')];
    $channel->exchange_declare($topic, 'topic');
    $channel->exchange_declare($fanout, 'fanout');
    $channel->exchange_bind($fanout, $topic, 'logs.#');
    [$queue] = $channel->queue_declare();
    $channel->queue_bind($queue, $fanout);
    $channel->tx_select();
    $channel->basic_publish(new AMQPMessage('lost'), $topic, 'logs.a');
    $channel->tx_rollback();
    $channel->basic_publish(new AMQPMessage('kept'), $topic, 'logs.a.b');
    $channel->basic_publish(new AMQPMessage('elsewhere'), $topic, 'other');
    $channel->tx_commit();
    $message = await_message($channel, $queue);
    expect([$message->body, $message->getRoutingKey()], ['kept', 'logs.a.b']);
    expect($channel->basic_get($queue), null);
    $connection->close();
}

/** An error has its code, and closes the channel alone. */
function errors(string $url): void
{
    $connection = connect($url);
    try {
        $connection->channel()->queue_declare(unique('nowhere'), true);
        throw new Exception('a queue that is not there was found');
    } catch (AMQPProtocolChannelException $error) {
        expect($error->getCode(), 404);
    }
    expect($connection->isConnected(), true);
    $connection->channel();
    $connection->close();
}

const CHECKS = ['confirms', 'settle', 'routing', 'errors'];

[, $url, $check] = $argv;
in_array($check, CHECKS, true) || throw new Exception("no check $check");
$check($url);
