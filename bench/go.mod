module pabal.bench

go 1.22
