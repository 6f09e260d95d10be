"""The soak: thousands of orders through the deployed local stack while its workers are killed."""
