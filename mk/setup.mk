# Set-up: installs missing packages. Groups and packages: scripts/setup/packages.
# A target that needs groups names them as an order-only prerequisite: `image: | setup-build+guest`.
setup-%:
	@scripts/setup/install $(subst +, ,$*)

setup: ## install every package that build, test and guest need (apt; asks sudo when not root)
	@scripts/setup/install build test guest

doctor: ## report what is missing, install nothing
	@scripts/setup/install --doctor build test guest lint

.PHONY: setup doctor
