"""What tests need from outside, started from Debian's packages: PostgreSQL (PostGIS), mosquitto."""
