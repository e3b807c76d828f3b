"""What one node does with objects: provide, consume, subscribe, notify."""
