"""`python -m carrel_client.application`."""

from carrel_client.application import main

if __name__ == "__main__":
    main()
