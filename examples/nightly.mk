# A job from make: `make -f examples/nightly.mk`, or `include` it in a Makefile of your own.
# Exit code 75 means "not everything is done yet": it is tried again, at most TRIES times, PAUSE_S seconds apart.
JOB ?= jobs/contracts.toml
OPTIONS ?= --time-limit 1h
TRIES ?= 5
PAUSE_S ?= 60
PIPELINE ?= .venv/bin/pipeline

.PHONY: nightly
nightly:
	@for try in $$(seq $(TRIES)); do \
	  if [ $$try -gt 1 ]; then sleep $(PAUSE_S); fi; \
	  $(PIPELINE) run $(JOB) $(OPTIONS); code=$$?; \
	  if [ $$code -ne 75 ]; then exit $$code; fi; \
	done; exit 75
