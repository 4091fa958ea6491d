"""All IO: event store, sequencer, bus, consumer, projections, keyring, blobs, audit, the HTTP edge, telemetry."""
