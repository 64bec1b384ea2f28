.PHONY: demo stop test interop interop-all bench clean

# Both work as the first command in a fresh clone.
demo: node_modules/.installed
	@npx tsx scripts/demo.ts

# Ends the service that the demo left running.
stop: node_modules/.installed
	@npx tsx scripts/stop-demo.ts

# All tiers, as in CI. `npm test` leaves out the storms, `npm run test:rules` takes seconds.
test: node_modules/.installed
	npm run lint
	npm run typecheck
	npm run layers
	@mkdir -p coverage && rm -f coverage/jest.json
	@npm run --silent test:all -- --json --outputFile=coverage/jest.json; \
	code=$$?; npx tsx scripts/print-test-counts.ts coverage/jest.json; exit $$code

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
	rm -rf interop/.venv interop/*/.venv* interop/*/.source interop/rck/lib interop/spark/lib
