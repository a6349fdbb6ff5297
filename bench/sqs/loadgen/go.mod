module pabal.bench/sqs-load

go 1.22
