"""What detection is measured on: traffic with known incidents, data sets, other detectors, scores."""
