"""Evidence on costs: counted operations and storage, and measured growth."""
