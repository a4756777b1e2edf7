"""The folder of models: follows it, keeps its model server running, answers as BMW's APIs did."""
