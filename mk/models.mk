models: | setup-test ## check the Promela models exhaustively, and that each guard is needed (Spin)
	@subsystems/dbfs/models/run

.PHONY: models
