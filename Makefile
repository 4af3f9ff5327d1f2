# The ways into the house. `make` alone lists them.

SWIFT ?= swift
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help setup build libraries wheel install demo test score format lint clean

help:
	@echo 'make setup    install the Debian packages that are missing'
	@echo 'make build    build the apus command (release)'
	@echo 'make libraries  libapus.so and libapus-runtime.so, in build/lib'
	@echo 'make wheel    the Python wheel, in build/wheel'
	@echo 'make install  libraries, header and the apus command under PREFIX (/usr/local)'
	@echo 'make demo     compile the sample detector, run it on pictures and a clip'
	@echo 'make test     build and run every test'
	@echo 'make score    the speed beside ONNX Runtime, OpenVINO and ncnn (an hour)'
	@echo 'make format   put the sources into their standard form'
	@echo 'make lint     say where the sources are not in their standard form'
	@echo 'make clean    remove what was built'

setup:
	@SWIFT='$(SWIFT)' sh Scripts/setup.sh

build: setup
	$(SWIFT) build -c release

libraries: build
	@SWIFT='$(SWIFT)' sh Scripts/libraries.sh build/lib

wheel: libraries
	@sh Scripts/python.sh
	@sh Scripts/wheel.sh build/lib build/wheel build/venv/bin/python

# What is built is installed; run 'make libraries' before, as the user who builds.
install:
	@DESTDIR='$(DESTDIR)' sh Scripts/install.sh build/lib '$(PREFIX)'

demo: build
	@SWIFT='$(SWIFT)' sh Samples/demo.sh

test:
	@SWIFT='$(SWIFT)' sh Scripts/setup.sh --tests
	$(SWIFT) test -c release -Xswiftc -enable-testing
	@sh Scripts/python.sh
# The libraries are linked from what was just built for the tests: nothing is compiled twice, and
# the link line, with the Swift run-time inside, is that of 'make wheel'.
	@SWIFT='$(SWIFT)' sh Scripts/libraries.sh build/test/lib
	cd Python && APUS_LIBRARY='$(CURDIR)/build/test/lib/libapus.so' PYTHONPATH=src \
	  ../build/venv/bin/python -m pytest
	@sh Scripts/conformance.sh

score: libraries
	@sh Scripts/score.sh

format:
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests

clean:
	rm -rf .build build
