"""House rules of the template, beyond what cfn-lint knows: checked by tests/contract/test_template.py."""
