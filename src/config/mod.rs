//! YAML files to definitions.
