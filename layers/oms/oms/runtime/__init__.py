"""What every function needs around its use case: settings, clients, secrets, logs, metrics, batches."""
