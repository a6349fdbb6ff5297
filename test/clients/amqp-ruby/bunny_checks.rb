# Checks of an AMQP broker with bunny: `ruby bunny_checks.rb URL CHECK`.
require "bunny"
require "securerandom"
require "timeout"

LIMIT_SECONDS = 60

def connect(url, **options)
  Bunny.new(url, **options).tap(&:start)
end

def unique(word)
  "bunny-#{word}-#{SecureRandom.hex(4)}"
end

def expect(actual, expected)
  raise "#{actual.inspect} instead of #{expected.inspect}" unless actual == expected
end

# Asks until the block gives something else than nil or false.
def await
  Timeout.timeout(LIMIT_SECONDS) do
    loop do
      found = yield
      return found if found
      sleep 0.02
    end
  end
end

# Properties and types of headers there and back; confirms; what comes back of an unroutable message.
def confirms(url)
  connection = connect(url)
  channel = connection.create_channel
  channel.confirm_select
  queue = channel.queue(unique("confirms"), durable: true)
  exchange = channel.default_exchange
  returned = []
  exchange.on_return { |info, _, body| returned << [info.reply_code, body] }
  headers = { "text" => "text", "whole" => 7, "big" => 2**40, "yes" => true, "list" => [1, "two"],
              "in" => { "a" => 1 }, "none" => nil, "double" => 0.5 }
  exchange.publish("hello", routing_key: queue.name, persistent: true, headers: headers,
                            content_type: "text/plain", priority: 1, correlation_id: "c", reply_to: "answers",
                            expiration: "60000", message_id: "m", timestamp: 1_700_000_000, type: "kind",
                            user_id: "guest", app_id: "application")
  exchange.publish("lost", routing_key: unique("nowhere"), mandatory: true)
  expect(channel.wait_for_confirms, true)
  await { returned.any? }
  expect(returned, [[312, "lost"]])
  _, properties, body = await { queue.pop.then { |message| message[0] && message } }
  expect(body, "hello")
  expect(properties[:headers], headers)
  expect(properties.to_hash.slice(:priority, :expiration, :timestamp, :user_id, :delivery_mode),
         { priority: 1, expiration: "60000", timestamp: Time.at(1_700_000_000), user_id: "guest", delivery_mode: 2 })
  exchange.publish("bare", routing_key: queue.name, persistent: false)
  _, properties, = await { queue.pop.then { |message| message[0] && message } }
  expect(properties.to_hash.slice(:delivery_mode, :expiration), { delivery_mode: 1 })
  queue.delete
  connection.close
end

# A full queue refuses with a nack.
def overflow(url)
  connection = connect(url)
  channel = connection.create_channel
  channel.confirm_select
  queue = channel.queue("", exclusive: true, arguments: { "x-max-length" => 1, "x-overflow" => "reject-publish" })
  queue.publish("1")
  queue.publish("2")
  expect(channel.wait_for_confirms, false)
  expect(channel.nacked_set.to_a, [2])
  connection.close
end

# Acks, nacks and rejects within a prefetch; what is rejected goes to the dead letters; a cancelled consumer gets no more.
def settle(url)
  connection = connect(url)
  channel = connection.create_channel
  channel.prefetch(2)
  dead = channel.queue(unique("dead"), exclusive: true)
  queue = channel.queue(unique("settle"), durable: true, arguments: {
    "x-dead-letter-exchange" => "", "x-dead-letter-routing-key" => dead.name
  })
  6.times { |index| queue.publish(index.to_s) }
  seen = Queue.new
  consumer = queue.subscribe(manual_ack: true) { |info, _, body| seen << [info, body] }
  first = 2.times.map { Timeout.timeout(LIMIT_SECONDS) { seen.pop } }
  expect(first.map(&:last), %w[0 1])
  channel.ack(first[0][0].delivery_tag)
  channel.reject(first[1][0].delivery_tag, false)
  second = 2.times.map { Timeout.timeout(LIMIT_SECONDS) { seen.pop } }
  expect(second.map(&:last), %w[2 3])
  consumer.cancel
  channel.nack(second[1][0].delivery_tag, true, true)
  _, properties, body = await { dead.pop.then { |message| message[0] && message } }
  expect([body, properties[:headers]["x-death"][0]["reason"]], ["1", "rejected"])
  rest = 4.times.map { await { queue.pop.then { |message| message[0] && message } } }
  expect(rest.map { |info, _, text| [text, info.redelivered?] }, [["2", true], ["3", true], ["4", false], ["5", false]])
  expect(seen.size, 0)
  queue.delete
  connection.close
end

# Topic and headers exchanges, bindings between exchanges, unbinding.
def routing(url)
  connection = connect(url)
  channel = connection.create_channel
  topic = channel.topic(unique("topic"), auto_delete: true)
  headers = channel.headers(unique("headers"), auto_delete: true)
  headers.bind(topic, routing_key: "logs.#")
  queue = channel.queue("", exclusive: true)
  queue.bind(headers, arguments: { "x-match" => "any", "level" => "error", "code" => 5 })
  topic.publish("1", routing_key: "logs.a", headers: { "level" => "error" })
  topic.publish("2", routing_key: "logs.a", headers: { "level" => "info" })
  topic.publish("3", routing_key: "other", headers: { "level" => "error" })
  topic.publish("4", routing_key: "logs.a.b", headers: { "code" => 5 })
  bodies = 2.times.map { await { queue.pop[2] } }
  expect(bodies, %w[1 4])
  expect(queue.pop[2], nil)
  connection.close
end

# A transaction that is rolled back leaves nothing, one that is committed all.
def transactions(url)
  connection = connect(url)
  channel = connection.create_channel
  queue = channel.queue("", exclusive: true)
  channel.tx_select
  queue.publish("lost")
  channel.tx_rollback
  queue.publish("kept")
  channel.tx_commit
  expect(await { queue.pop[2] }, "kept")
  expect(queue.message_count, 0)
  connection.close
end

# A consumer is told when its queue goes.
def cancel(url)
  connection = connect(url)
  channel = connection.create_channel
  queue = channel.queue(unique("cancel"), durable: true)
  told = Queue.new
  consumer = Bunny::Consumer.new(channel, queue)
  consumer.on_cancellation { |method| told << method.consumer_tag }
  queue.subscribe_with(consumer)
  other = connect(url)
  other.create_channel.queue_delete(queue.name)
  expect(Timeout.timeout(LIMIT_SECONDS) { told.pop }, consumer.consumer_tag)
  other.close
  connection.close
end

# Errors have their codes, and close what they say.
def errors(url)
  connection = connect(url)
  channel = connection.create_channel
  begin
    channel.queue_declare(unique("nowhere"), passive: true)
    raise "a queue that is not there was found"
  rescue Bunny::NotFound => error
    expect(error.channel_close.reply_code, 404)
  end
  expect(channel.open?, false)
  channel = connection.create_channel
  queue = channel.queue(unique("errors"), exclusive: true)
  begin
    channel.queue_declare(queue.name, exclusive: true, arguments: { "x-max-length" => 1 })
    raise "a queue was declared anew"
  rescue Bunny::PreconditionFailed => error
    expect(error.channel_close.reply_code, 406)
  end
  connection.close
  begin
    connect(url.sub("guest:guest", "guest:wrong"), recover_from_connection_close: false)
    raise "a wrong password was taken"
  rescue Bunny::AuthenticationFailureError, Bunny::PossibleAuthenticationFailureError
    nil
  end
end

# A connection that is cut comes back by itself, with its queues, bindings and consumers; what was held comes again.
def reconnect(url)
  connection = connect(url, network_recovery_interval: 0.2, heartbeat: 5, logger: Logger.new(File::NULL))
  channel = connection.create_channel
  channel.prefetch(1)
  exchange = channel.topic(unique("topic"), auto_delete: true)
  own = channel.queue("", exclusive: true).bind(exchange, routing_key: "#")
  queue = channel.queue(unique("reconnect"), durable: true)
  seen = Queue.new
  own.subscribe { |_, _, body| seen << body }
  held = Queue.new
  queue.subscribe(manual_ack: true) { |info, _, body| held << [info, body] }
  queue.publish("kept")
  expect(Timeout.timeout(LIMIT_SECONDS) { held.pop }[1], "kept")
  recovered = Queue.new
  connection.after_recovery_completed { recovered << true } if connection.respond_to?(:after_recovery_completed)
  connection.transport.socket.close
  info, body = Timeout.timeout(LIMIT_SECONDS) { held.pop }
  expect([info.redelivered?, body], [true, "kept"])
  channel.ack(info.delivery_tag)
  await do
    exchange.publish("again", routing_key: "a")
    sleep 0.1
    seen.size.positive?
  end
  expect(seen.pop, "again")
  queue.delete
  connection.close
end

CHECKS = %i[confirms overflow settle routing transactions cancel errors reconnect].freeze

send(CHECKS.find { |name| name.to_s == ARGV[1] } || raise("no check #{ARGV[1]}"), ARGV[0])
