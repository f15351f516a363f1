"""The application: the settings model, the store and its API, rendering, the stages, the command line."""
