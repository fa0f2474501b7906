"""The targets keep the contract of bundle deployers."""
