"""`python -m carrel_client.repository`."""

from carrel_client.repository import main

if __name__ == "__main__":
    main()
