# The ways into the house. `make` alone lists them.

SWIFT ?= swift

.DEFAULT_GOAL := help
.PHONY: help setup build libraries demo test format lint clean

help:
	@echo 'make setup    install the Debian packages that are missing'
	@echo 'make build    build the apus command (release)'
	@echo 'make libraries  link libapus.so and libapus-runtime.so into build/lib'
	@echo 'make demo     compile the sample detector, run it on pictures and a clip'
	@echo 'make test     build and run every test'
	@echo 'make format   put the sources into their standard form'
	@echo 'make lint     say where the sources are not in their standard form'
	@echo 'make clean    remove what was built'

setup:
	@SWIFT='$(SWIFT)' sh Scripts/setup.sh

build: setup
	$(SWIFT) build -c release

libraries: build
	@SWIFT='$(SWIFT)' sh Scripts/libraries.sh build/lib

demo: build
	@SWIFT='$(SWIFT)' sh Samples/demo.sh

test:
	@SWIFT='$(SWIFT)' sh Scripts/setup.sh --tests
	$(SWIFT) test -c release -Xswiftc -enable-testing

format:
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests

clean:
	rm -rf .build build
