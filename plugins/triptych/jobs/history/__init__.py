"""How long chunks took in earlier jobs: `pace` has the model, `kept` where it lies. It decides no result."""
