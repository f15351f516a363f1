"""`make bench`: where a boot's time goes, beside a bare interpreter start. It prints; nothing here is asserted."""
