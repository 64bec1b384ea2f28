.PHONY: demo test interop bench clean

# Both work as the first command in a fresh clone.
demo: node_modules/.installed
	@npx tsx scripts/demo.ts

test: node_modules/.installed
	npm run lint
	npm run typecheck
	npm run layers
	@mkdir -p coverage
	@NODE_OPTIONS=--experimental-vm-modules npx jest --json --outputFile=coverage/jest.json; \
	code=$$?; npx tsx scripts/print-test-counts.ts coverage/jest.json; exit $$code

# PyIceberg and the Iceberg REST Compatibility Kit; INTEROP_SPARK=1 adds Spark.
interop: node_modules/.installed
	@npx tsx interop/run.ts

# All of it; BENCH=commit for one, BENCH_QUICK=1 for a short look. docs/performance.md tells how to read it.
bench: node_modules/.installed
	npm run bench $(BENCH)

node_modules/.installed: package-lock.json package.json
	npm ci
	@touch $@

clean:
	rm -rf node_modules dist coverage .demo interop/.results
	rm -rf bench/results bench/.build bench/.peers bench/peers/lib
	rm -rf interop/.venv interop/rck/lib interop/spark/.venv interop/spark/lib
