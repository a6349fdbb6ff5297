module pabal.bench/amqp-load

go 1.22
